package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/reconcile"
)

func copied(t *testing.T, p order.ReconcileProgress) (c order.ReconcileProgress) {
	t.Helper()
	text, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		t.Error(err)
	}
	return c
}

// TestAnOrderThatOwesItsEventIsCarriedByWhoTellsOthers, if anybody does.
func TestAnOrderThatOwesItsEventIsCarriedByWhoTellsOthers(t *testing.T) {
	t.Parallel()
	for told, redriven := range map[bool]int64{true: 0, false: 1} {
		w := newWorld()
		w.record(w.place(t, 1, time.Hour, order.Confirmed)).OwesEvent = true
		r := reconcile.New(reconcile.Config{Orders: w, Front: w, Carrier: w, Grace: time.Minute, Pause: time.Microsecond, EventsAreCarried: told})
		found := redrive(t, r, false)
		want(t, "re-driven", found.Redriven, redriven)
		want(t, "carried", found.Carried, 1-redriven)
	}
}

func TestOrdersThatNobodyCarriesAreCarriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	pending := w.place(t, 1, time.Hour, order.Pending)
	closed := w.place(t, 2, 2*time.Hour, order.Rejected)
	carried := w.place(t, 3, 3*time.Hour, order.Pending)
	w.place(t, 4, time.Second, order.Pending) // its workflow may be about to start
	settled := w.place(t, 5, time.Hour, order.Confirmed)
	now := time.Now()
	w.record(settled).SettledAt = &now
	w.record(pending).AttentionSince = &now
	w.running[carried] = true

	dry := redrive(t, w.reconciler(), true)
	want(t, "unsettled", dry.Unsettled, 3)
	want(t, "carried", dry.Carried, 1)
	want(t, "uncarried", dry.Uncarried, 2)
	want(t, "re-driven", dry.Redriven, 0)
	want(t, "ids", fmt.Sprint(dry.UncarriedIDs), fmt.Sprint([]order.ID{closed, pending}))
	want(t, "started by a dry run", len(w.started)+len(w.attended), 0)

	found := redrive(t, w.reconciler(), false)
	want(t, "re-driven", found.Redriven, 2)
	want(t, "failures", found.Failures, 0)
	slices.Sort(w.started)
	both := []order.ID{closed, pending}
	slices.Sort(both)
	want(t, "started", fmt.Sprint(w.started), fmt.Sprint(both))
	want(t, "no longer asking for a person", fmt.Sprint(w.attended), fmt.Sprint([]order.ID{pending}))

	again := redrive(t, w.reconciler(), false)
	want(t, "carried", again.Carried, 3)
	want(t, "re-driven again", again.Redriven, 0)
}

// TestAnOrderThatEndedMeanwhileIsLeftAlone: its workflow was there when the page was read.
func TestAnOrderThatEndedMeanwhileIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	id := w.place(t, 1, time.Hour, order.Pending)
	w.carryErr = func(order.ID) error {
		now := time.Now()
		w.record(id).SettledAt = &now
		return nil
	}
	found := redrive(t, w.reconciler(), false)
	want(t, "carried", found.Carried, 1)
	want(t, "started", len(w.started), 0)
}

func TestARowThatWasChangedByHandIsReportedAndItsNeighboursGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld()
	lost := w.place(t, 1, time.Hour, order.Pending)
	changed := w.place(t, 2, 2*time.Hour, order.Pending)
	fine := w.place(t, 3, 3*time.Hour, order.Pending)
	refused := w.place(t, 4, 4*time.Hour, order.Pending)
	w.record(lost).Lines = nil
	w.record(changed).Lines = []order.Line{{SKU: "mug", Quantity: 2, UnitPrice: 5}}
	w.carryErr = func(id order.ID) error {
		if id == refused {
			return order.Failf(order.Final, "too large")
		}
		return nil
	}
	found := redrive(t, w.reconciler(), false)
	want(t, "started", fmt.Sprint(w.started), fmt.Sprint([]order.ID{fine}))
	want(t, "failures", found.Failures, 3)
	want(t, "uncarried", found.Uncarried, 3)
	words := strings.Join(found.FailureWords, "\n")
	for _, part := range []string{
		string(lost) + ": its row was changed by hand and is no order", "at least one line",
		string(changed) + ": its row or its lines were changed by hand", string(refused) + ": too large",
	} {
		if !strings.Contains(words, part) {
			t.Errorf("%q does not say %q", words, part)
		}
	}
}

func TestASilenceOfTemporalIsNoOrdersFault(t *testing.T) {
	t.Parallel()
	away := errors.New("unavailable")
	w := newWorld()
	for i := range 100 {
		w.place(t, i, time.Hour, order.Pending)
	}
	asked := 0
	w.carryErr = func(order.ID) error { asked++; return away }
	p, err := w.reconciler().RedriveOrders(t.Context(), order.ReconcileProgress{}, noBeat)
	if !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	want(t, "unsettled", p.Found.Unsettled, 0)
	if asked > 50 {
		t.Errorf("asked %d times", asked)
	}
	// A hiccup is reported, and the next run has another look.
	asked = 0
	w.carryErr = func(order.ID) error {
		if asked++; asked == 7 {
			return away
		}
		return nil
	}
	found := redrive(t, w.reconciler(), false)
	want(t, "re-driven", found.Redriven, 99)
	want(t, "failures", found.Failures, 1)
	want(t, "uncarried", found.Uncarried, 99)
}

// TestRedrivingGoesOnWhereItWasKilled kills it at each of its heartbeats and goes on from there: each order is
// looked at, and started once.
func TestRedrivingGoesOnWhereItWasKilled(t *testing.T) {
	t.Parallel()
	const orders = 25
	for kill := 1; ; kill++ {
		w := newWorld()
		for i := range orders {
			w.place(t, i, time.Hour, order.Pending) // some of one moment
		}
		r := w.reconciler().Sizes(4, 1, 1, 8)
		p, beats, killed := order.ReconcileProgress{}, 0, false
		for !p.Orders.Done {
			ctx, die := context.WithCancel(t.Context())
			last := p
			next, err := r.RedriveOrders(ctx, p, func(now order.ReconcileProgress) {
				w.mu.Lock()
				defer w.mu.Unlock()
				if beats++; beats == kill {
					last, killed = copied(t, now), true
					die()
				}
			})
			if err != nil {
				next = last
			}
			p = next
			die()
		}
		want(t, "unsettled", p.Found.Unsettled, orders)
		want(t, "started", len(w.started), orders)
		if lost := orders - p.Found.Redriven; lost < 0 || lost > 4 {
			t.Errorf("%d were re-driven, says the result", p.Found.Redriven)
		}
		if t.Failed() || !killed {
			t.Logf("killed at heartbeat %d", kill)
			return
		}
	}
}
