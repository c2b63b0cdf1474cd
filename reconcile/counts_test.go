package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/order"
)

func TestOnlyACountThatStaysOffIsDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.stock("even", 10, 3, 7)
	w.stock("over", 10, 3, 9)
	w.stock("under", 10, 3, 2)
	w.stock("moving", 10, 0, 9)
	w.stock("selling", 10, 0, 8)
	w.stock("cold", 10, 0, 0)
	delete(w.counts, "cold")
	w.beforeCounts = func(look int) {
		w.counts["moving"] = int64(9 - look%2) // the orders between their reservation and their row
		row := w.stocks["selling"]             // as it was read for this look
		w.stock("selling", row.OnHand-1, 0, row.OnHand-2)
	}
	found := compare(t, w.reconciler(), false)
	want(t, "over", found.Over, order.Drift{SKUs: 1, Units: 2})
	want(t, "under", found.Under, order.Drift{SKUs: 2, Units: 5 + 2})
	want(t, "SKUs", found.SKUs, 6)
	want(t, "compared", found.Compared, 5)
	want(t, "healed", found.Healed, 3)
	want(t, "forgotten", fmt.Sprint(w.forgotten), "[over selling under]")
	want(t, "examples", fmt.Sprint(found.Drifted), "[{over 9 7 false} {selling 6 8 false} {under 2 7 false}]")
}

// A limit that was changed by a program which died before it deleted the count would refuse customers for ever.
func TestACountWithAnotherLimitIsDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld()
	limit := func(sku string, row, redis int64) {
		w.stock(sku, 10, 0, 10)
		s := w.stocks[sku]
		s.LimitPerCustomer = row
		w.stocks[sku], w.limits[sku] = s, redis
	}
	limit("raised", 3, 2)
	limit("removed", 0, 2)
	limit("set", 2, 0)
	limit("same", 2, 2)
	limit("changing", 2, 2)
	limit("selling", 4, 3)
	w.beforeCounts = func(look int) {
		w.limits["changing"] = int64(2 - look%2)
		w.counts["selling"] = int64(10 - look)
	}
	found := compare(t, w.reconciler(), false)
	want(t, "other limits", found.OtherLimits, 4)
	want(t, "over", found.Over, order.Drift{})
	want(t, "under", found.Under, order.Drift{})
	want(t, "healed", found.Healed, 4)
	want(t, "forgotten", fmt.Sprint(w.forgotten), "[raised removed selling set]")
}

func TestADryRunDeletesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.stock("over", 10, 3, 9)
	found := compare(t, w.reconciler(), true)
	want(t, "over", found.Over, order.Drift{SKUs: 1, Units: 2})
	want(t, "healed", found.Healed, 0)
	want(t, "forgotten", len(w.forgotten), 0)
}

func TestHoweverManyHaveDriftedFewAreRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld()
	const skus = 100
	for i := range skus {
		w.stock(fmt.Sprintf("sku-%03d", i), 10, 0, 11)
	}
	r := w.reconciler().Sizes(5, 50, 10, 1)
	p := order.ReconcileProgress{}
	found, chunks := through(t, r.CompareCounts, p, func(p order.ReconcileProgress) bool { return p.Counts.Done })
	want(t, "healed", found.Healed, skus)
	want(t, "over", found.Over, order.Drift{SKUs: skus, Units: skus})
	want(t, "SKUs", found.SKUs, skus)
	want(t, "examples", len(found.Drifted), order.MaxExamples)
	want(t, "chunks", chunks, skus/10+1) // the last finds that there are no more
	if w.remembered > 10 {
		t.Errorf("%d SKUs were looked at again at once", w.remembered)
	}
}

func TestRedisAwayIsSaidAndWaitedForByNobody(t *testing.T) {
	t.Parallel()
	away := order.Failf(order.Transient, "Redis is away")
	w := newWorld()
	w.stock("over", 10, 3, 9)
	w.frontErr = away
	found := compare(t, w.reconciler(), false)
	want(t, "notes", len(found.Notes), 1)
	want(t, "drift", found.Over, order.Drift{})

	w = newWorld() // it goes away between two looks
	for i := range 10 {
		w.stock(fmt.Sprint("sku-", i), 10, 0, 10)
	}
	w.stock("sku-7", 10, 0, 9)
	w.beforeCounts = func(look int) {
		if look > 3 {
			w.frontErr = away
		}
	}
	found = compare(t, w.reconciler().Sizes(4, 4, 4, 1), false)
	want(t, "SKUs", found.SKUs, 4)
	want(t, "drift", found.Under, order.Drift{})
	if len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "after sku-3 ") {
		t.Errorf("noted %q", found.Notes)
	}
	want(t, "forgotten", len(w.forgotten), 0)
}

func TestACountThatCannotBeDeletedIsAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.stock("over", 10, 3, 9)
	w.forgetErr = errors.New("connection lost")
	found := compare(t, w.reconciler(), false)
	want(t, "healed", found.Healed, 0)
	want(t, "failures", found.Failures, 1)
	if !slices.ContainsFunc(found.FailureWords, func(s string) bool { return strings.Contains(s, "over and 0 more") }) {
		t.Errorf("said %q", found.FailureWords)
	}
}

// TestAComparisonGoesOnWhereItWasKilled kills it at each of its heartbeats and goes on from there: each SKU is
// looked at once in the tallies, and each count that drifted is found and deleted once.
func TestAComparisonGoesOnWhereItWasKilled(t *testing.T) {
	t.Parallel()
	const skus = 40
	for kill := 1; ; kill++ {
		w := newWorld()
		for i := range skus {
			w.stock(fmt.Sprintf("sku-%03d", i), 10, 0, 10-int64(i%7/6))
		}
		r := w.reconciler().Sizes(3, 20, 4, 1)
		p, beats, killed := order.ReconcileProgress{}, 0, false
		for !p.Counts.Done {
			ctx, die := context.WithCancel(t.Context())
			last := p
			next, err := r.CompareCounts(ctx, p, func(now order.ReconcileProgress) {
				if beats++; beats == kill {
					last, killed = copied(t, now), true
					die()
				}
			})
			if err != nil {
				next = last // what the server has
			}
			p = next
			die()
		}
		want(t, "SKUs", p.Found.SKUs, skus)
		if again := skus - p.Found.Compared; again < 0 || again > skus/7 { // what was deleted is not there a second time
			t.Errorf("%d counts were compared", p.Found.Compared)
		}
		want(t, "under", p.Found.Under, order.Drift{SKUs: skus / 7, Units: skus / 7})
		want(t, "healed", p.Found.Healed, skus/7)
		want(t, "forgotten", len(w.forgotten), skus/7)
		if t.Failed() || !killed {
			t.Logf("killed at heartbeat %d", kill)
			return
		}
	}
}
