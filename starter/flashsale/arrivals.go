package flashsale

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// lateAfter is how far behind his time a shopper comes who counts as late. It is well above what timers and the
// scheduler take on a machine that keeps up.
const lateAfter = 10 * time.Millisecond

// closed lets each shopper in when one before him has his answer.
func (s *Sale) closed(ctx context.Context, shoppers *sync.WaitGroup, serve func(i int)) {
	var next atomic.Int64
	for range min(s.cfg.Pace.Concurrency, s.cfg.Plan.Shoppers) {
		shoppers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= s.cfg.Plan.Shoppers {
					return
				}
				serve(i)
			}
		})
	}
}

// open lets each shopper in at his time. Latency counts from that time: a stall of the API, or of this
// program, is then seen by everybody who would have come meanwhile, and not only by those who were under way.
func (s *Sale) open(ctx context.Context, shoppers *sync.WaitGroup, serve func(i int, due time.Time)) {
	turns := make(chan struct{}, s.cfg.Pace.Outstanding)
	began := time.Now()
	for i := range s.cfg.Plan.Shoppers {
		due := began.Add(s.cfg.Pace.after(i))
		if wait := time.Until(due); wait > 0 && pause(ctx, wait) != nil {
			return
		}
		select {
		case turns <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if time.Since(due) > lateAfter {
			s.tally.late.Add(1)
		}
		shoppers.Go(func() {
			defer func() { <-turns }()
			serve(i, due)
		})
	}
}

// after is when shopper i comes, from the beginning. It is computed afresh for each, so that no error adds up.
func (p Pace) after(i int) time.Duration {
	return time.Duration(float64(i) / p.Rate * float64(time.Second))
}
