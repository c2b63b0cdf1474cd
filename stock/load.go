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

// land ends the flight of a SKU. It is called once for each.
func (l *flights) land(sku string, unknown bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.bySKU[sku]
	f.unknown, f.err = unknown, err
	close(f.done)
	delete(l.bySKU, sku)
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
			f.loadSKUs(ctx, mine)
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

// loadSKUs lands each of the SKUs once it is loaded, by whomever, or known not to exist, or cannot be loaded.
func (f *Front) loadSKUs(ctx context.Context, skus []string) {
	token := rand.Text()
	for len(skus) > 0 {
		mine, others := f.takeTokens(ctx, skus, token)
		f.write(ctx, mine, token)
		skus = others
		if len(others) == 0 {
			return
		}
		if err := pause(ctx, loadPoll); err != nil {
			f.landAll(others, err)
			return
		}
	}
}

func (f *Front) landAll(skus []string, err error) {
	for _, sku := range skus {
		f.loads.land(sku, false, err)
	}
}

// write reads the SKUs, writes those that exist to Redis, and lands all. One whose stock changed in between is not
// written; who needs it finds that out and loads again.
func (f *Front) write(ctx context.Context, skus []string, token string) {
	if len(skus) == 0 {
		return
	}
	readIn, err := f.admit(ctx)
	if err != nil {
		f.giveUp(ctx, skus, err)
		return
	}
	available, err := f.source.Available(ctx, skus)
	if err != nil {
		f.giveUp(ctx, skus, err)
		return
	}
	var calls []call
	var known, unknown []string
	for _, sku := range skus {
		row, exists := available[sku]
		if !exists {
			unknown = append(unknown, sku)
			continue
		}
		known = append(known, sku)
		// Eight characters tell the generations of one SKU apart, and stand in every reservation.
		calls = append(calls, f.loadCall(sku, token, rand.Text()[:8], row, readIn))
	}
	f.metrics.loads.WithLabelValues("unknown").Add(float64(len(unknown)))
	f.dropTokens(ctx, unknown)
	for _, sku := range unknown {
		f.loads.land(sku, true, nil)
	}
	replies, err := f.run(ctx, calls)
	if err != nil {
		f.giveUp(ctx, known, err)
		return
	}
	for i, r := range replies {
		if err := r.failed(answerLoaded, answerStale); err != nil {
			f.giveUp(ctx, known[i:i+1], err)
			continue
		}
		f.metrics.loads.WithLabelValues(r.text).Inc()
		f.loads.land(known[i], false, nil)
	}
}

// giveUp lands SKUs that this caller was to load and could not. Nobody should wait for it any longer.
func (f *Front) giveUp(ctx context.Context, skus []string, err error) {
	f.dropTokens(ctx, skus)
	f.landAll(skus, err)
}

// takeTokens makes this caller the loader of every SKU that needs one, and returns those, and those that
// are being loaded by others. It lands the rest.
func (f *Front) takeTokens(ctx context.Context, skus []string, token string) (mine, others []string) {
	calls := make([]call, len(skus))
	for i, sku := range skus {
		calls[i] = takeCall(sku, token)
	}
	replies, err := f.run(ctx, calls)
	if err != nil {
		f.landAll(skus, err)
		return nil, nil
	}
	for i, r := range replies {
		switch r.text {
		case answerTaken:
			mine = append(mine, skus[i])
		case answerLoading:
			others = append(others, skus[i])
		default:
			f.loads.land(skus[i], false, r.failed(answerLoaded))
		}
	}
	return mine, others
}

// dropTokens lets go of SKUs that are not going to be loaded. Should a token have become another's
// meanwhile, that one's count is refused and loaded again. If Redis is away, tokens expire.
func (f *Front) dropTokens(ctx context.Context, skus []string) {
	if len(skus) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probePatience)
	defer cancel()
	_ = f.pipe(ctx, skus[0], func(pipe redis.Pipeliner) {
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
