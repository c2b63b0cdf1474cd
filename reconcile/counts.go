package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"holdfast/order"
	"holdfast/orderdb"
)

// errFrontAway means that Redis gave no answer, several times.
var errFrontAway = errors.New("redis gives no answer")

// frontTries is how often Redis is asked before it is taken to be away.
const frontTries = 3

// CompareCounts implements the port of package activities: it compares the next SKUs, a bounded number, and
// deletes the counts that have drifted. beat is told now and then that it goes on, and from where it could.
//
// The progress moves past SKUs once nothing is left to do for them. A repeat from there looks at some of them
// again, and a count that was deleted is not there to be found again.
func (r *Reconciler) CompareCounts(ctx context.Context, p order.ReconcileProgress, beat func(order.ReconcileProgress)) (order.ReconcileProgress, error) {
	p.Found = p.Found.Clone()
	w := &walk{Reconciler: r, beat: func() { beat(p) }}
	next := p
	suspects := make(map[string]order.DriftedCount)
	for seen := 0; seen < r.skus && len(suspects) < r.suspects && !next.Counts.Done; {
		stocks, err := r.cfg.Orders.ListStock(ctx, next.Counts.After, r.page)
		if err != nil {
			return p, err
		}
		off, compared, err := w.sight(ctx, stocks)
		switch {
		case errors.Is(err, errFrontAway):
			return frontAway(p), nil
		case err != nil:
			return p, err
		}
		seen += len(stocks)
		next.Found.SKUs += int64(len(stocks))
		next.Found.Compared += int64(compared)
		maps.Copy(suspects, off)
		if len(stocks) > 0 {
			next.Counts.After = stocks[len(stocks)-1].SKU
		}
		next.Counts.Done = len(stocks) < r.page
		if len(suspects) == 0 {
			p = next
		}
		w.beat()
	}
	standing, err := w.standing(ctx, suspects)
	switch {
	case errors.Is(err, errFrontAway):
		return frontAway(p), nil
	case err != nil:
		return p, err
	}
	if err := w.heal(ctx, &p.Found, standing); err != nil {
		return p, err
	}
	p.Counts, p.Found.SKUs, p.Found.Compared = next.Counts, next.Found.SKUs, next.Found.Compared
	return p, nil
}

// frontAway ends the comparison: nothing of Redis is worth waiting for, the next run compares.
func frontAway(p order.ReconcileProgress) order.ReconcileProgress {
	p.Counts.Done = true
	note := "Redis gave no answer, so that no counts were compared. No promise rests on them."
	if p.Counts.After != "" {
		note = fmt.Sprintf("Redis gave no answer, so that no counts after %s were compared. No promise rests on them.", p.Counts.After)
	}
	p.Found.AddNote(note)
	return p
}

// walk is one call on its way.
type walk struct {
	*Reconciler

	beat func() // tells that it goes on
}

// sight gives the counts that are off, and how many of the SKUs are loaded.
func (w *walk) sight(ctx context.Context, stocks []orderdb.Stock) (off map[string]order.DriftedCount, loaded int, err error) {
	skus := make([]string, len(stocks))
	for i, s := range stocks {
		skus[i] = s.SKU
	}
	counts, err := w.ask(ctx, skus, w.cfg.Front.Counts)
	if err != nil {
		return nil, 0, err
	}
	limits, err := w.ask(ctx, skus, w.cfg.Front.Limits)
	if err != nil {
		return nil, 0, err
	}
	off = make(map[string]order.DriftedCount)
	for _, s := range stocks {
		count, counted := counts[s.SKU]
		limit, limited := limits[s.SKU]
		seen := order.DriftedCount{SKU: s.SKU, Count: count, Available: s.Available(), OtherLimit: limited && limit != s.LimitPerCustomer}
		if counted && (count != s.Available() || seen.OtherLimit) {
			off[s.SKU] = seen
		}
	}
	return off, len(counts), nil
}

// ask asks Redis, several times if it gives no answer.
func (w *walk) ask(ctx context.Context, skus []string, read func(context.Context, []string) (map[string]int64, error)) (map[string]int64, error) {
	if len(skus) == 0 {
		return nil, nil //nolint:nilnil // no SKUs have no counts
	}
	for try := range frontTries {
		if try > 0 {
			w.beat()
			if err := pause(ctx, w.cfg.Pause); err != nil {
				return nil, err
			}
		}
		numbers, err := read(ctx, skus)
		if err == nil {
			return numbers, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
	}
	return nil, errFrontAway
}

// standing looks at all suspects again, several times, and keeps those that are off by the same number of units
// each time, or have another limit. Count and row may both move meanwhile.
func (w *walk) standing(ctx context.Context, suspects map[string]order.DriftedCount) (map[string]order.DriftedCount, error) {
	for range w.cfg.Looks - 1 {
		if len(suspects) == 0 {
			return nil, nil //nolint:nilnil // none is a good answer
		}
		w.beat()
		if err := pause(ctx, w.cfg.Pause); err != nil {
			return nil, err
		}
		still := make(map[string]order.DriftedCount, len(suspects))
		for skus := range slices.Chunk(slices.Sorted(maps.Keys(suspects)), w.page) {
			stocks, err := w.cfg.Orders.GetStocks(ctx, skus)
			if err != nil {
				return nil, err
			}
			off, _, err := w.sight(ctx, stocks)
			if err != nil {
				return nil, err
			}
			for sku, now := range off {
				before := suspects[sku]
				if now.OtherLimit && before.OtherLimit || now.Count-now.Available == before.Count-before.Available {
					still[sku] = now
				}
			}
			w.beat()
		}
		suspects = still
	}
	return suspects, nil
}

// heal deletes the counts that drifted, so that the next order loads them afresh. No number is ever written:
// one that was right when it was read may be wrong when it arrives.
func (w *walk) heal(ctx context.Context, found *order.Reconciliation, drifted map[string]order.DriftedCount) error {
	for skus := range slices.Chunk(slices.Sorted(maps.Keys(drifted)), w.page) {
		for _, sku := range skus {
			found.AddDrifted(drifted[sku])
		}
		if found.DryRun {
			continue
		}
		err := w.cfg.Front.Forget(ctx, skus)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			found.AddFailures(len(skus), fmt.Sprintf("%s and %d more counts were not deleted: %v", skus[0], len(skus)-1, err))
		default:
			found.Healed += int64(len(skus))
		}
		w.beat()
	}
	return nil
}
