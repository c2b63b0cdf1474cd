package httpapi

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Front is the stock front in Redis.
type Front interface {
	// Forget deletes the counts of the SKUs, so that they are loaded afresh.
	Forget(ctx context.Context, skus []string) error
	Ping(ctx context.Context) error
}

const (
	// forgetNow bounds how long a changed stock's answer waits for Redis.
	forgetNow = time.Second
	// forgetPause is the longest pause between two tries in the background.
	forgetPause = 5 * time.Second
	// maxPending bounds the memory for SKUs to forget.
	maxPending = 10_000
)

// forgetter deletes counts from Redis once the stock in the order database has changed. The change stands
// whatever becomes of that, so its caller hears of success. What could not be deleted is tried again in
// the background until it can. If this process dies before, a count that is too low only turns shoppers
// away until it expires, and one that is too high is noticed by the row's guard, which deletes it: neither
// oversells.
type forgetter struct {
	front Front
	log   *slog.Logger
	ctx   context.Context //nolint:containedctx // of what goes on in the background; ends with close
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu      sync.Mutex // guards what follows
	pending map[string]struct{}
	running bool
}

func newForgetter(front Front, log *slog.Logger) *forgetter {
	ctx, stop := context.WithCancel(context.Background())
	return &forgetter{front: front, log: log, ctx: ctx, stop: stop, pending: make(map[string]struct{})}
}

// forget tries once before it returns. A caller who hung up does not stop it.
func (f *forgetter) forget(ctx context.Context, sku string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetNow)
	defer cancel()
	if err := f.front.Forget(ctx, []string{sku}); err != nil {
		f.log.WarnContext(ctx, "Redis still has the count from before a change of stock; trying again until it is deleted", "sku", sku, "error", err)
		f.later(sku)
	}
}

func (f *forgetter) later(skus ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sku := range skus {
		if len(f.pending) == maxPending {
			f.log.Error("too many counts to delete from Redis; this one has to expire", "sku", sku)
			continue
		}
		f.pending[sku] = struct{}{}
	}
	if !f.running && len(f.pending) > 0 && f.ctx.Err() == nil {
		f.running = true
		f.done.Go(f.run)
	}
}

// run tries until nothing is pending.
func (f *forgetter) run() {
	for pause := 100 * time.Millisecond; sleep(f.ctx, pause); pause = min(2*pause, forgetPause) {
		skus := f.take()
		if len(skus) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(f.ctx, forgetNow)
		if err := f.front.Forget(ctx, skus); err != nil {
			f.later(skus...)
		}
		cancel()
	}
}

// take empties pending: what is added while these are tried stays for the next time. If there is nothing,
// run has ended.
func (f *forgetter) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	skus := slices.Collect(maps.Keys(f.pending))
	clear(f.pending)
	f.running = len(skus) > 0
	return skus
}

func (f *forgetter) close() {
	f.stop()
	f.done.Wait()
}
