package flashsale

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// answers places orders that are all answered alike, after a time.
func answers(outcome Outcome, after time.Duration) func(context.Context, Order) Answer {
	return func(ctx context.Context, _ Order) Answer {
		if pause(ctx, after) != nil {
			return Answer{Outcome: Unknown}
		}
		return Answer{Outcome: outcome}
	}
}

func config(shoppers int, pace Pace, place func(context.Context, Order) Answer) Config {
	return Config{Plan: plan(shoppers), Pace: pace, Place: place, Timeout: time.Hour, Grace: 5 * time.Second}
}

// TestTheOpenLoopKeepsItsTimes shows that slow answers keep nobody from coming.
func TestTheOpenLoopKeepsItsTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		came := map[time.Duration]int{}
		slow := answers(Confirmed, 5*time.Second)
		r := New(config(20, Pace{Rate: 10, Outstanding: 20}, func(ctx context.Context, o Order) Answer {
			mu.Lock()
			came[time.Since(began)]++
			mu.Unlock()
			return slow(ctx, o)
		})).Run(t.Context())
		for i := range 20 {
			if at := time.Duration(i) * 100 * time.Millisecond; came[at] != 1 {
				t.Errorf("%d shoppers came at %s", came[at], at)
			}
		}
		five := Latency{5 * time.Second, 5 * time.Second, 5 * time.Second, 5 * time.Second, 5 * time.Second}
		if g := r.Groups[Confirmed]; g.Orders != 20 || g.Latency != five {
			t.Errorf("confirmed: %+v", g)
		}
		if r.Late != 0 || r.Elapsed != 6900*time.Millisecond || r.PerSecond(r.Definite) != 20/6.9 {
			t.Errorf("%d were late, it took %s, %f a second", r.Late, r.Elapsed, r.PerSecond(r.Definite))
		}
	})
}

// TestAStallIsSeenByAllWhoCameMeanwhile shows that waiting for a turn counts as the shopper's: with two at a time at
// most and a stall of a second, those who would have come during it are not left out of the percentiles.
func TestAStallIsSeenByAllWhoCameMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := time.Now().Add(time.Second)
		r := New(config(10, Pace{Rate: 10, Outstanding: 2}, func(context.Context, Order) Answer {
			time.Sleep(time.Until(over))
			return Answer{Outcome: Confirmed}
		})).Run(t.Context())
		want := Latency{P50: 500 * time.Millisecond, P90: 900 * time.Millisecond, P99: time.Second, P999: time.Second, Max: time.Second}
		if g := r.Groups[Confirmed]; g.Orders != 10 || g.Latency != want {
			t.Errorf("confirmed: %+v, want %+v", g, want)
		}
		if r.Late != 8 { // all but the first two
			t.Errorf("%d came late", r.Late)
		}
	})
}

func TestTheClosedLoopHasSoManyAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		second := answers(Confirmed, time.Second)
		r := New(config(25, Pace{Concurrency: 10}, func(ctx context.Context, o Order) Answer {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer now.Add(-1)
			return second(ctx, o)
		})).Run(t.Context())
		if most.Load() != 10 || r.Elapsed != 3*time.Second || r.Arrived != 25 {
			t.Errorf("%d at a time, in %s, %d came", most.Load(), r.Elapsed, r.Arrived)
		}
	})
}

// TestAnInterruptionLetsNobodyIn shows that those under way get the grace, and that all who came are accounted for.
func TestAnInterruptionLetsNobodyIn(t *testing.T) {
	t.Parallel()
	for _, pace := range []Pace{{Concurrency: 10}, {Rate: 10, Outstanding: 100}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			time.AfterFunc(950*time.Millisecond, interrupt)
			var n atomic.Int64
			r := New(config(1000, pace, func(ctx context.Context, o Order) Answer {
				if n.Add(1)%2 == 0 {
					return answers(Confirmed, 3*time.Second)(ctx, o)
				}
				return answers(Confirmed, time.Hour)(ctx, o)
			})).Run(ctx)
			if !r.Interrupted || r.TimedOut || r.Elapsed != 5950*time.Millisecond {
				t.Errorf("interrupted: %v, timed out: %v, in %s", r.Interrupted, r.TimedOut, r.Elapsed)
			}
			if r.Arrived != 10 || r.Groups[Confirmed].Orders != 5 || r.Groups[Unknown].Orders != 5 {
				t.Errorf("%d came: %+v", r.Arrived, r.Groups)
			}
		})
	}
}
