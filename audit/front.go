package audit

import (
	"context"
	"maps"
	"slices"
	"time"

	"holdfast/orderdb"
)

const (
	// looks is how often a difference between Redis and the row must show in a row. See DefaultPause.
	looks = 6
	// maxDiffering bounds the memory for SKUs to look at again. A system on which more differ at once is
	// not quiet, or broken enough that the first ten thousand will do.
	maxDiffering = 10_000
)

// sighting is what was seen of a SKU whose count in Redis differs.
type sighting struct {
	version   int64 // of the stock row
	available int64
	count     int64
}

// sightDifferences compares the page's SKUs with Redis, as far as they are loaded and no PENDING order
// holds units of them. What differs is only remembered: an order on its way from its reservation to its
// row makes it differ rightly.
func (r *run) sightDifferences(ctx context.Context, balances []orderdb.Balance) {
	seen, compared := r.sight(ctx, balances)
	r.report.Checked.RedisCounts += compared
	if r.differing == nil {
		r.differing = make(map[string]sighting)
	}
	for sku, s := range seen {
		if len(r.differing) < maxDiffering {
			r.differing[sku] = s
		}
	}
}

// sight gives the SKUs that differ, and how many were compared. If Redis is away it notes that, once.
func (r *run) sight(ctx context.Context, balances []orderdb.Balance) (differing map[string]sighting, compared int) {
	quiet := make([]orderdb.Balance, 0, len(balances))
	skus := make([]string, 0, len(balances))
	for _, b := range balances {
		if b.Reserved == 0 && b.Held == 0 {
			quiet, skus = append(quiet, b), append(skus, b.SKU)
		}
	}
	if len(quiet) == 0 || r.frontGone {
		return nil, 0
	}
	counts, err := r.cfg.Front.Counts(ctx, skus)
	if ctx.Err() != nil {
		return nil, 0 // the caller's next reading says so
	}
	if err != nil {
		r.frontGone = true
		r.notef("Redis could not be asked, so that its counts were not compared. No promise rests on them.")
		return nil, 0
	}
	differing = make(map[string]sighting)
	for _, b := range quiet {
		if count, loaded := counts[b.SKU]; loaded && count != b.Available() {
			differing[b.SKU] = sighting{version: b.Version, available: b.Available(), count: count}
		}
	}
	return differing, len(counts)
}

// front looks again, several times, at the SKUs that differed. Only a difference that stood still all
// the time, while no unsettled order has the SKU, is one: nothing will put it right but the key's
// expiry, and until then units are not sold.
func (r *run) front(ctx context.Context) error {
	for range looks - 1 {
		if len(r.differing) == 0 || r.frontGone {
			return nil
		}
		if err := pause(ctx, r.cfg.Pause); err != nil {
			return &UnreadableError{What: OrderDatabase, Err: err, interrupted: true}
		}
		if err := r.lookAgain(ctx); err != nil {
			return err
		}
	}
	if err := r.dropInFlight(ctx); err != nil {
		return err
	}
	for sku, s := range r.differing {
		if !r.full() {
			r.violationf(FrontDiffers, sku, "Redis would sell %d units where %d are available, and nothing moves", s.count, s.available)
		}
	}
	return nil
}

// lookAgain keeps the SKUs that differ as they did before.
func (r *run) lookAgain(ctx context.Context) error {
	still := make(map[string]sighting, len(r.differing))
	for skus := range slices.Chunk(slices.Sorted(maps.Keys(r.differing)), page) {
		balances, err := r.balancesOf(ctx, skus)
		if err != nil {
			return err
		}
		seen, _ := r.sight(ctx, balances)
		if err := ctx.Err(); err != nil {
			return &UnreadableError{What: OrderDatabase, Err: err, interrupted: true}
		}
		for sku, s := range seen {
			if s == r.differing[sku] {
				still[sku] = s
			}
		}
	}
	r.differing = still
	return nil
}

// dropInFlight takes away the SKUs of orders that are not settled: what such an order reserved may not
// be released yet.
func (r *run) dropInFlight(ctx context.Context) error {
	filter := orderdb.Filter{UnsettledBefore: time.Now().Add(time.Hour), Limit: page} // however young, clocks apart
	for len(r.differing) > 0 {
		unsettled, err := ask(ctx, r, OrderDatabase, func() ([]orderdb.Record, error) { return r.cfg.Orders.List(ctx, filter) })
		if err != nil {
			return err
		}
		for _, o := range unsettled {
			for _, line := range o.Lines {
				delete(r.differing, line.SKU)
			}
		}
		if len(unsettled) < page {
			return nil
		}
		last := unsettled[len(unsettled)-1]
		filter.Before = &orderdb.Position{CreatedAt: last.CreatedAt, ID: last.ID}
	}
	return nil
}
