package admission

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"

	"holdfast/internal/gather"
	"holdfast/order"
)

// Front is what the gate asks the stock front, which holds no truth: it may be wrong, empty or away.
type Front interface {
	// Counts gives the units that can still be reserved, for those SKUs of which it knows.
	Counts(ctx context.Context, skus []string) (map[string]int64, error)
	// Limits gives the limits for each customer, for those SKUs of which it knows; 0 for none.
	Limits(ctx context.Context, skus []string) (map[string]int64, error)
	// Refusals tells of each order whether it would be refused now. The verdict is empty for one that would not, or that has
	// reserved its units.
	Refusals(ctx context.Context, orders []order.Order) ([]order.Reservation, error)
}

// Gate tells which orders would be refused anyway, before they cost anything. A flood of them costs the front a few reads of
// each SKU, and gathered ones of the orders.
type Gate struct {
	front      Front
	counts     *gather.Group[string, count]
	seen       *lru.Cache[string, count]
	refusals   *gather.Group[*order.Order, order.Reservation]
	turnedAway *prometheus.CounterVec
}

// count is what the front said of a SKU a moment ago.
type count struct {
	units, limit int64
	until        time.Time
}

const (
	// moment is how long a count is believed. A SKU that is restocked sells again within it.
	moment = 100 * time.Millisecond
	// gateAtOnce is how many questions to the front are under way at once, gateKeys what one of them is about at most. In a
	// flood more would only make more questions of what one could ask.
	gateAtOnce = 1
	gateKeys   = 500
	// gatePatience is how long an order waits for the front at most. Then it goes on as if there were no gate.
	gatePatience = 250 * time.Millisecond
	// gateSKUs bounds the memory, to some 5 MB.
	gateSKUs = 1 << 15
)

// NewGate makes a gate before the front.
func NewGate(front Front, metrics *Metrics) (*Gate, error) {
	seen, err := lru.New[string, count](gateSKUs)
	if err != nil {
		return nil, err
	}
	g := &Gate{front: front, seen: seen, turnedAway: metrics.turnedAway}
	g.counts = gather.New(g.readCounts, gateAtOnce, gateKeys)
	g.refusals = gather.New(g.readRefusals, gateAtOnce, gateKeys)
	return g, nil
}

// Suspects tells whether the order may have to be turned away: there are fewer units than it wants of some SKU, or a limit for
// each customer. It costs nothing while it is sure of the contrary. What is not known counts as plenty, since there is
// more behind the gate.
func (g *Gate) Suspects(ctx context.Context, o order.Order) bool {
	var unknown []order.Line
	for _, line := range o.Lines {
		c, known := g.seen.Get(line.SKU)
		switch {
		case !known || time.Now().After(c.until):
			unknown = append(unknown, line)
		case c.suspect(line):
			return true
		}
	}
	if len(unknown) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, gatePatience)
	defer cancel()
	var suspect atomic.Bool
	var looks sync.WaitGroup
	for _, line := range unknown {
		looks.Go(func() {
			if c, known := g.look(ctx, line.SKU); known && c.suspect(line) {
				suspect.Store(true)
			}
		})
	}
	looks.Wait()
	return suspect.Load()
}

func (c count) suspect(line order.Line) bool { return c.units < line.Quantity || c.limit > 0 }

// Refusal tells whether the order would be refused; the verdict is empty if not, or if it has reserved its units. An order that
// is on record has its answer there, whatever this says. The error is that the front does not say.
func (g *Gate) Refusal(ctx context.Context, o order.Order) (order.Reservation, error) {
	r, _, err := g.refusals.Get(ctx, &o)
	return r, err
}

// TurnedAway counts an order that was turned away because of the verdict.
func (g *Gate) TurnedAway(v order.Verdict) { g.turnedAway.WithLabelValues(string(v)).Inc() }

// look asks for a SKU. known is false if nothing is.
func (g *Gate) look(ctx context.Context, sku string) (c count, known bool) {
	began := time.Now()
	c, known, err := g.counts.Get(ctx, sku)
	if err != nil || !known {
		return count{}, false
	}
	c.until = began.Add(moment)
	g.seen.Add(sku, c)
	return c, true
}

func (g *Gate) readCounts(ctx context.Context, skus []string) (map[string]count, error) {
	ctx, cancel := context.WithTimeout(ctx, gatePatience)
	defer cancel()
	units, err := g.front.Counts(ctx, skus)
	if err != nil {
		return nil, err
	}
	limits, err := g.front.Limits(ctx, skus)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]count, len(units))
	for sku, n := range units {
		counts[sku] = count{units: n, limit: limits[sku]}
	}
	return counts, nil
}

func (g *Gate) readRefusals(ctx context.Context, asked []*order.Order) (map[*order.Order]order.Reservation, error) {
	ctx, cancel := context.WithTimeout(ctx, gatePatience)
	defer cancel()
	orders := make([]order.Order, len(asked))
	for i, o := range asked {
		orders[i] = *o
	}
	refusals, err := g.front.Refusals(ctx, orders)
	if err != nil {
		return nil, err
	}
	found := make(map[*order.Order]order.Reservation, len(asked))
	for i, o := range asked {
		found[o] = refusals[i]
	}
	return found, nil
}
