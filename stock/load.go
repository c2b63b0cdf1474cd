package stock

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"holdfast/order"
)

const (
	// loaderTTL frees the SKU of a loader that died. It is longer than a read of the order database
	// takes; a loader that needs longer has its count refused and is asked again.
	loaderTTL = 2 * time.Second
	// loadPoll is the pause before a SKU is looked at again that someone else loads.
	loadPoll = 5 * time.Millisecond
)

// load sees to it that the SKUs of the claims are loaded, by this caller or another, and returns the
// claims to run again. Those of unknown SKUs get that answer; all get the error if there is one.
func (f *Front) load(ctx context.Context, cold []*claim) []*claim {
	if len(cold) == 0 {
		return nil
	}
	unknown, err := f.loadSKUs(ctx, skusOf(cold))
	if err != nil {
		for _, c := range cold {
			c.err = err
		}
		return nil
	}
	return slices.DeleteFunc(cold, func(c *claim) bool {
		if slices.Contains(unknown, c.sku) {
			c.answer = answerUnknownSKU
			return true
		}
		return false
	})
}

func skusOf(claims []*claim) []string {
	skus := make([]string, len(claims))
	for i, c := range claims {
		skus[i] = c.sku
	}
	slices.Sort(skus)
	return slices.Compact(skus)
}

// loadSKUs loads those SKUs that nobody else has loaded or is loading. If all are still being loaded it
// waits a moment, in which the others may finish. It returns the SKUs that do not exist.
func (f *Front) loadSKUs(ctx context.Context, skus []string) (unknown []string, err error) {
	token := rand.Text()
	mine, others, err := f.takeTokens(ctx, skus, token)
	defer func() {
		if err != nil { // nobody should wait for a loader that gave up, least of all because its caller left
			_ = f.dropTokens(context.WithoutCancel(ctx), mine)
		}
	}()
	switch {
	case err != nil:
		return nil, err
	case others == len(skus):
		return nil, pause(ctx, loadPoll)
	case len(mine) == 0:
		return nil, nil
	}
	available, err := f.source.Available(ctx, mine)
	if err != nil {
		return nil, err
	}
	var loads []call
	for _, sku := range mine {
		if _, exists := available[sku]; !exists {
			unknown = append(unknown, sku)
			continue
		}
		// Eight characters tell the generations of one SKU apart, and stand in every reservation.
		loads = append(loads, f.loadCall(sku, token, rand.Text()[:8], available[sku]))
	}
	for _, r := range f.run(ctx, loads) {
		if r.err != nil {
			return nil, r.err
		}
	}
	return unknown, f.dropTokens(ctx, unknown)
}

func (f *Front) loadCall(sku, token, generation string, units int64) call {
	return call{loadScript, []string{stockKey(sku), loaderKey(sku)}, []any{token, generation, units, f.cfg.IdleTTL.Milliseconds()}}
}

// takeTokens makes this caller the loader of every SKU that needs one, and returns those, and how many
// are being loaded by others.
func (f *Front) takeTokens(ctx context.Context, skus []string, token string) (mine []string, others int, err error) {
	calls := make([]call, len(skus))
	for i, sku := range skus {
		calls[i] = call{takeScript, []string{stockKey(sku), loaderKey(sku)}, []any{token, loaderTTL.Milliseconds()}}
	}
	for i, r := range f.run(ctx, calls) {
		switch {
		case r.err != nil:
			err = r.err
		case r.text == answerTaken:
			mine = append(mine, skus[i])
		case r.text == answerLoading:
			others++
		}
	}
	return mine, others, err
}

// dropTokens lets go of SKUs that are not going to be loaded. Should a token have become another's
// meanwhile, that one's count is refused and loaded again.
func (f *Front) dropTokens(ctx context.Context, skus []string) error {
	if len(skus) == 0 {
		return nil
	}
	pipe := f.rdb.Pipeline()
	for _, sku := range skus {
		pipe.Del(ctx, loaderKey(sku))
	}
	_, err := pipe.Exec(ctx)
	return failure(err)
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
