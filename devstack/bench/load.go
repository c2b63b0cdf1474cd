package bench

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// load is by how many something is done at once, and for how long. It ends with whichever of duration and
// operations is reached first; 0 is no bound.
type load struct {
	atOnce     int
	duration   time.Duration
	operations int // of all together
}

// sample is what a load has measured.
type sample struct {
	elapsed   time.Duration   // until the last operation had ended
	latencies []time.Duration // one for each operation, sorted
}

// run has each of atOnce callers do one operation after the other; who is the caller's number. The first error ends
// the whole.
func (l load) run(ctx context.Context, do func(ctx context.Context, who int) error) (sample, error) {
	var started atomic.Int64
	latencies := make([][]time.Duration, l.atOnce)
	group, groupCtx := errgroup.WithContext(ctx)
	began := time.Now()
	more := func() bool {
		return groupCtx.Err() == nil && (l.duration == 0 || time.Since(began) < l.duration) &&
			(l.operations == 0 || started.Add(1) <= int64(l.operations))
	}
	for who := range l.atOnce {
		group.Go(func() error {
			for more() {
				start := time.Now()
				if err := do(groupCtx, who); err != nil {
					return err
				}
				latencies[who] = append(latencies[who], time.Since(start))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return sample{}, err
	}
	s := newSample(time.Since(began), slices.Concat(latencies...))
	if s.operations() == 0 {
		return sample{}, errors.Join(errNothing, ctx.Err())
	}
	return s, ctx.Err()
}

// errNothing says that there is nothing to calculate with.
var errNothing = errors.New("nothing was done in the time given")

func newSample(elapsed time.Duration, latencies []time.Duration) sample {
	slices.Sort(latencies)
	return sample{elapsed: elapsed, latencies: latencies}
}

func (s sample) operations() int { return len(s.latencies) }

func (s sample) perSecond() float64 { return float64(s.operations()) / s.elapsed.Seconds() }

func (s sample) p50() time.Duration { return percentile(s.latencies, 50) }

func (s sample) p99() time.Duration { return percentile(s.latencies, 99) }

// together is what several samples would be as one.
func together(samples []sample) sample {
	var elapsed time.Duration
	var latencies []time.Duration
	for _, s := range samples {
		elapsed += s.elapsed
		latencies = append(latencies, s.latencies...)
	}
	return newSample(elapsed, latencies)
}
