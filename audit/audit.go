// Package audit proves the three promises from the data: it compares the order database with itself,
// with the counts in Redis, the payment provider's ledger and the warehouse's arrivals. It changes nothing. Only app, the
// HTTP API and programs import it.
package audit

import (
	"context"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/payment"
	"holdfast/warehouse"
)

// Orders is the order database. Pages come in the order of their key, after the given one.
type Orders interface {
	Balances(ctx context.Context, after string, limit int) ([]orderdb.Balance, error)
	BalancesOf(ctx context.Context, skus []string) ([]orderdb.Balance, error)
	// LostStock gives SKUs that have stock movements but no stock row.
	LostStock(ctx context.Context, limit int) ([]string, error)
	Ends(ctx context.Context, after order.ID, limit int) ([]orderdb.End, error)
	EndsOf(ctx context.Context, ids []order.ID) ([]orderdb.End, error)
	// LostLines gives orders that have lines but no row, after the one id up to the other; "" is no end.
	LostLines(ctx context.Context, after, upTo order.ID, limit int) ([]order.ID, error)
	// Get returns orderdb.ErrNotFound if there is no row.
	Get(ctx context.Context, id order.ID) (orderdb.Record, error)
	List(ctx context.Context, f orderdb.Filter) ([]orderdb.Record, error)
	// Assigned tells whether an order is on a page of a hand-off.
	Assigned(ctx context.Context, id order.ID) (bool, error)
}

// Front is the stock front in Redis.
type Front interface {
	// Counts gives the units that Redis would still reserve, for those SKUs that are loaded.
	Counts(ctx context.Context, skus []string) (map[string]int64, error)
}

// Ledger is the payment provider's own record.
type Ledger interface {
	// Ledger gives at most limit entries with a number above after. next is the after of the following
	// page, 0 if there is none.
	Ledger(ctx context.Context, after int64, limit int) (entries []payment.Entry, next int64, err error)
	// Net is what the provider holds for an order now, in minor units; 0 if it knows no such order.
	Net(ctx context.Context, id order.ID) (int64, error)
}

// Warehouse is the warehouse's own record.
type Warehouse interface {
	// Arrivals gives at most limit arrivals with a number above after. next is the after of the following page, 0 if there is
	// none.
	Arrivals(ctx context.Context, after int64, limit int) (arrivals []warehouse.Arrival, next int64, err error)
}

// Config says what is audited. Orders, Front and Ledger are required.
type Config struct {
	Orders Orders
	Front  Front
	Ledger Ledger
	// Warehouse may be nil: there is none then, and nothing is handed off.
	Warehouse Warehouse
	// Grace is how long the row of an order may stay unsettled and unchanged before that is a violation,
	// unless somebody was asked to look. 0 means DefaultGrace.
	Grace time.Duration
	// Pause lies between two looks at a count in Redis that differs. 0 means DefaultPause.
	Pause time.Duration
	// Limit is how long an audit may take before it stops and says how far it looked. 0 means DefaultLimit.
	Limit time.Duration
	// Patience is how long what cannot be read is read again, each time, before the audit gives up. 0 means DefaultPatience.
	Patience time.Duration
}

const (
	// DefaultGrace is longer than any workflow leaves a row alone without asking for a person: it does
	// so after 15 minutes in one step, and between two changes of the row lie at most three steps
	// (reverse, release, settle). An order that is silent for longer is carried by nobody.
	DefaultGrace = time.Hour
	// DefaultPause makes the looks at Redis span three seconds: longer than an order needs from its
	// reservation to its row, on a system that is well.
	DefaultPause = 500 * time.Millisecond
	// DefaultLimit is less than half of the five minutes that the API's server has for an answer: an audit that
	// waited for another one's end still gets to say how far it looked.
	DefaultLimit = 2 * time.Minute
	// DefaultPatience is for somebody who waits for the answer.
	DefaultPatience = 5 * time.Second
)

// Auditor audits. It may be used from many goroutines.
type Auditor struct {
	cfg    Config
	window int // orders that are compared with the ledger at a time
}

// New makes an auditor.
func New(cfg Config) *Auditor {
	if cfg.Grace == 0 {
		cfg.Grace = DefaultGrace
	}
	if cfg.Pause == 0 {
		cfg.Pause = DefaultPause
	}
	if cfg.Limit == 0 {
		cfg.Limit = DefaultLimit
	}
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
	}
	return &Auditor{cfg: cfg, window: ledgerWindow}
}

// Run looks at everything once, and a second time at whatever is suspicious. It may run on a live
// system: what is in flight counts as such and not as a violation. The error is an *UnreadableError;
// Redis, on which no promise rests, may be away, which is only noted. Neither is it an error that the time ran out.
func (a *Auditor) Run(ctx context.Context) (Report, error) {
	r := &run{Auditor: a, report: Report{Complete: true, Violations: []Violation{}, Notes: []string{}}}
	limited, cancel := context.WithTimeout(ctx, a.cfg.Limit)
	defer cancel()
	looks := r.looks()
	for i, look := range looks {
		err := look.run(limited)
		if err != nil && limited.Err() != nil && ctx.Err() == nil {
			r.ranOut(looks[i:], err)
			break
		}
		if err != nil {
			return Report{}, err
		}
	}
	return r.finish(), nil
}

// run is one audit on its way.
type run struct {
	*Auditor
	report Report

	differing map[string]sighting // SKUs whose count in Redis differed at first sight
	frontGone bool
	stale     []order.ID // orders that were not settled when the grace began
	untold    int        // of these, how many owe nothing but their event

	skusUpTo   string   // the stock up to this SKU was looked at
	ordersUpTo order.ID // the money of the orders up to this id was looked at
}
