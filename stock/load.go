package stock

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"holdfast/order"
)

const (
	// loaderTTL frees the SKU of a loader that died, and bounds a load. It is longer than a read of the order
	// database takes; a loader that needs longer has its count refused and is asked again.
	loaderTTL = 2 * time.Second
	// loadPoll is the pause before a SKU is looked at again that another program loads.
	loadPoll = 5 * time.Millisecond
)

// flights are the loads under way in this program: however many orders want a cold SKU, one loads it and
// the others wait for that. Between programs the loader's token does the same.
type flights struct {
	mu    sync.Mutex
	bySKU map[string]*flight
	all   sync.WaitGroup
}

// flight is one load of a SKU. Its fields are set when done is closed.
type flight struct {
	done    chan struct{}
	unknown bool // there is no such SKU
	err     error
}

func (l *flights) wait() { l.all.Wait() }

// join gives the flight of each SKU, and those SKUs for which the caller has to fly.
func (l *flights) join(skus []string) (joined map[string]*flight, mine []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bySKU == nil {
		l.bySKU = make(map[string]*flight)
	}
	joined = make(map[string]*flight, len(skus))
	for _, sku := range skus {
		if l.bySKU[sku] == nil {
			l.bySKU[sku] = &flight{done: make(chan struct{})}
			mine = append(mine, sku)
		}
		joined[sku] = l.bySKU[sku]
	}
	return joined, mine
}

// land ends the flights of the SKUs.
func (l *flights) land(skus, unknown []string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, sku := range skus {
		f := l.bySKU[sku]
		f.unknown, f.err = slices.Contains(unknown, sku), err
		close(f.done)
		delete(l.bySKU, sku)
	}
}

// load sees to it that the SKUs of the claims are loaded, by this caller or another, and returns the
// claims to run again. Those of unknown SKUs get that answer, and those that could not be loaded the error. Its own
// error is errAway.
func (f *Front) load(ctx context.Context, cold []*claim) ([]*claim, error) {
	if len(cold) == 0 {
		return nil, nil
	}
	joined, mine := f.loads.join(skusOf(cold))
	if len(mine) > 0 {
		// Others wait for it as well, so it does not end with this caller.
		f.loads.all.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loaderTTL)
			defer cancel()
			unknown, err := f.loadSKUs(ctx, mine)
			f.loads.land(mine, unknown, err)
		})
	}
	again := cold[:0]
	for _, c := range cold {
		flight := joined[c.sku]
		select {
		case <-ctx.Done():
			c.err = order.Failf(order.Transient, "stock is being loaded: %w", ctx.Err())
			continue
		case <-flight.done:
		}
		switch {
		case errors.Is(flight.err, errAway):
			return nil, errAway
		case flight.err != nil:
			c.err = flight.err
		case flight.unknown:
			c.answer = answerUnknownSKU
		default:
			again = append(again, c)
		}
	}
	return again, nil
}

func skusOf(claims []*claim) []string {
	skus := make([]string, len(claims))
	for i, c := range claims {
		skus[i] = c.sku
	}
	slices.Sort(skus)
	return slices.Compact(skus)
}

// loadSKUs returns once each of the SKUs is loaded, by whomever, or known not to exist.
func (f *Front) loadSKUs(ctx context.Context, skus []string) (unknown []string, err error) {
	token := rand.Text()
	for {
		mine, others, err := f.takeTokens(ctx, skus, token)
		if err == nil && len(mine) > 0 {
			var absent []string
			absent, err = f.write(ctx, mine, token)
			unknown = append(unknown, absent...)
		}
		if err != nil {
			// Nobody should wait for a loader that gave up.
			f.dropTokens(ctx, mine)
			return nil, err
		}
		if len(others) == 0 {
			return unknown, nil
		}
		if err := pause(ctx, loadPoll); err != nil {
			return nil, err
		}
		skus = others
	}
}

// write reads the SKUs and writes those that exist to Redis. One whose stock changed in between is not
// written; who needs it finds that out and loads again.
func (f *Front) write(ctx context.Context, skus []string, token string) (unknown []string, err error) {
	available, err := f.source.Available(ctx, skus)
	if err != nil {
		return nil, err
	}
	var calls []call
	for _, sku := range skus {
		row, exists := available[sku]
		if !exists {
			unknown = append(unknown, sku)
			continue
		}
		// Eight characters tell the generations of one SKU apart, and stand in every reservation.
		calls = append(calls, f.loadCall(sku, token, rand.Text()[:8], row))
	}
	replies, err := f.run(ctx, calls)
	if err != nil {
		return nil, err
	}
	for _, r := range replies {
		if r.err != nil {
			return nil, r.err
		}
		f.metrics.loads.WithLabelValues(r.text).Inc()
	}
	f.metrics.loads.WithLabelValues("unknown").Add(float64(len(unknown)))
	f.dropTokens(ctx, unknown)
	return unknown, nil
}

// takeTokens makes this caller the loader of every SKU that needs one, and returns those, and those that
// are being loaded by others.
func (f *Front) takeTokens(ctx context.Context, skus []string, token string) (mine, others []string, err error) {
	calls := make([]call, len(skus))
	for i, sku := range skus {
		calls[i] = takeCall(sku, token)
	}
	replies, err := f.run(ctx, calls)
	for i, r := range replies {
		switch {
		case r.err != nil:
			err = r.err
		case r.text == answerTaken:
			mine = append(mine, skus[i])
		case r.text == answerLoading:
			others = append(others, skus[i])
		}
	}
	return mine, others, err
}

// dropTokens lets go of SKUs that are not going to be loaded. Should a token have become another's
// meanwhile, that one's count is refused and loaded again. If Redis is away, tokens expire.
func (f *Front) dropTokens(ctx context.Context, skus []string) {
	if len(skus) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probePatience)
	defer cancel()
	_ = f.pipe(ctx, func(pipe redis.Pipeliner) {
		for _, sku := range skus {
			pipe.Del(ctx, loaderKey(sku))
		}
	})
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return order.Failf(order.Transient, "stock is being loaded: %w", ctx.Err())
	case <-timer.C:
		return nil
	}
}
