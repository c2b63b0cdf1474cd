// Package flashsale plays the shoppers of a flash sale: when they come, what each of them orders, how an order
// is repeated until it has an end, and what became of them all. It does not know how an order is sent. Only the
// starter imports it.
package flashsale

import (
	"context"
	"sync"
	"time"
)

// Sale is a flash sale: a plan, and how it is carried out. Make one with New; it runs once.
type Sale struct {
	cfg   Config
	tally tally
}

// Config is how a sale is carried out.
type Config struct {
	Plan Plan
	Pace Pace
	// Place sends an order once. Many orders are placed at a time.
	Place func(context.Context, Order) Answer
	// Pause waits between two requests for an order; its error is the context's. Nil waits by the clock.
	Pause func(context.Context, time.Duration) error
	// Once tells that no order is sent again, whatever was answered.
	Once bool
	// Timeout ends the sale. Orders without an end are left as they are.
	Timeout time.Duration
	// Grace is how long the orders under way may go on after an interruption.
	Grace time.Duration
}

// Pace is how fast shoppers come. One of Concurrency and Rate is set.
type Pace struct {
	// Concurrency is how many shoppers there are at a time: the next one comes when one has his answer (a
	// closed loop).
	Concurrency int
	// Rate is how many shoppers come a second, each at his time however slow the answers are (an open loop).
	Rate float64
	// Outstanding bounds the shoppers under way in the open loop. Beyond it they wait for their turn, and that
	// time counts as theirs.
	Outstanding int
}

// Most is the most shoppers that are under way at a time.
func (p Pace) Most() int {
	if p.Rate > 0 {
		return p.Outstanding
	}
	return p.Concurrency
}

// New makes a sale.
func New(cfg Config) *Sale {
	if cfg.Pause == nil {
		cfg.Pause = pause
	}
	return &Sale{cfg: cfg, tally: newTally()}
}

// Run lets the shoppers in and waits until each has an end, or the time is up. When ctx ends no more are let in,
// and those under way get the grace.
func (s *Sale) Run(ctx context.Context) Result {
	began := time.Now()
	work, cut := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Timeout)
	defer cut()
	arrivals, shut := context.WithCancel(work)
	defer shut()
	disarm := context.AfterFunc(ctx, func() {
		shut()
		_ = pause(work, s.cfg.Grace)
		cut()
	})
	defer disarm()
	var shoppers sync.WaitGroup
	if s.cfg.Pace.Rate > 0 {
		s.open(arrivals, &shoppers, func(i int, due time.Time) { s.shop(work, i, due) })
	} else {
		s.closed(arrivals, &shoppers, func(i int) { s.shop(work, i, time.Now()) })
	}
	shoppers.Wait()
	result := s.tally.result(began)
	result.Interrupted = ctx.Err() != nil
	result.TimedOut = work.Err() != nil && !result.Interrupted
	return result
}

// pause waits, unless the context ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
