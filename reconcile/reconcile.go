// Package reconcile puts right what nobody is at work on any more: counts in Redis that stay apart from the order
// database, and unsettled orders that no workflow carries. It may run at any time, also in the middle of a sale,
// and beside itself. Only app imports it; activities know it as a port.
package reconcile

import (
	"context"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
)

// Orders is the order database.
type Orders interface {
	// ListStock reads up to limit stock rows after the given SKU, in SKU order; "" begins.
	ListStock(ctx context.Context, after string, limit int) ([]orderdb.Stock, error)
	// GetStocks reads those of the SKUs that exist.
	GetStocks(ctx context.Context, skus []string) ([]orderdb.Stock, error)
	// Unsettled reads orders for which something is owed, oldest first.
	Unsettled(ctx context.Context, after orderdb.Position, before time.Time, limit int) ([]orderdb.Record, error)
	// Get returns orderdb.ErrNotFound if there is no row.
	Get(ctx context.Context, id order.ID) (orderdb.Record, error)
	// Attend records whether an order needs a person.
	Attend(ctx context.Context, attentions []order.Attention) ([]order.Row, error)
}

// Front is the stock front in Redis.
type Front interface {
	// Counts gives the units that Redis would still reserve, for those SKUs that are loaded.
	Counts(ctx context.Context, skus []string) (map[string]int64, error)
	// Limits gives the limits for each customer under which Redis reserves, for those SKUs that are loaded; 0 for none.
	Limits(ctx context.Context, skus []string) (map[string]int64, error)
	// Forget deletes the counts of the SKUs, so that the next order loads them afresh.
	Forget(ctx context.Context, skus []string) error
}

// Carrier knows which orders are carried, and has them carried. A failure of class order.Final concerns the
// one order; any other means that Temporal did not answer.
type Carrier interface {
	// Carried tells whether a workflow runs that carries the order.
	Carried(ctx context.Context, id order.ID) (bool, error)
	// Carry starts the order's workflow unless it runs.
	Carry(ctx context.Context, o order.Order) (started bool, err error)
}

// Config says what is reconciled. Orders, Front and Carrier are required.
type Config struct {
	Orders  Orders
	Front   Front
	Carrier Carrier
	// Grace is the age below which an order is left alone: its workflow may be about to start.
	Grace time.Duration
	// EventsAreCarried: an order that owes nothing but its event is carried by PublishEvents, whatever became of its own workflow.
	EventsAreCarried bool
	// Looks is how often in a row a count must be off by the same number of units before it counts as drifted.
	// 0 means DefaultLooks.
	Looks int
	// Pause lies between two looks. 0 means DefaultPause.
	Pause time.Duration
}

// While an order is between its reservation and its row, Redis and the order database differ rightly, for some
// milliseconds. In a sale there are always such orders, but hardly ever the same number of units of them three
// times, a second apart. If there are, a right count is deleted, which costs one read of a stock row. So little
// is at stake that no lock, and no look at the orders, is worth its price.
const (
	DefaultLooks = 3
	DefaultPause = time.Second
)

// sizes bound memory, time and the load on the servers.
type sizes struct {
	page     int // rows and counts that are read at once
	skus     int // SKUs of one call
	suspects int // SKUs that are remembered for another look; a call ends early with so many
	orders   int // orders of one call
	atOnce   int // orders of which Temporal is asked at once
	givingUp int // orders after which a Temporal that answered for none of them is taken to be away
}

// Reconciler reconciles. It may be used from many goroutines.
type Reconciler struct {
	cfg Config
	sizes
}

// New makes a reconciler.
func New(cfg Config) *Reconciler {
	if cfg.Looks == 0 {
		cfg.Looks = DefaultLooks
	}
	if cfg.Pause == 0 {
		cfg.Pause = DefaultPause
	}
	return &Reconciler{cfg: cfg, sizes: sizes{
		page: 500, skus: 50_000, suspects: 10_000, orders: 10_000, atOnce: 8, givingUp: 16,
	}}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
