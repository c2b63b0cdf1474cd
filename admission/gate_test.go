package admission_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/admission"
	"holdfast/order"
)

// front is a stock front that answers what the test says after a millisecond.
type front struct {
	counts, limits map[string]int64
	refusals       map[order.ID]order.Reservation
	err            error

	mu    sync.Mutex
	asked int // how often
}

func (f *front) ask() error {
	f.mu.Lock()
	f.asked++
	f.mu.Unlock()
	time.Sleep(time.Millisecond)
	return f.err
}

func (f *front) Counts(context.Context, []string) (map[string]int64, error) { return f.counts, f.ask() }

func (f *front) Limits(context.Context, []string) (map[string]int64, error) { return f.limits, f.err }

func (f *front) Refusals(_ context.Context, orders []order.Order) ([]order.Reservation, error) {
	refusals := make([]order.Reservation, len(orders))
	for i, o := range orders {
		refusals[i] = f.refusals[o.ID]
	}
	return refusals, f.ask()
}

func newGate(t *testing.T, f *front) *admission.Gate {
	t.Helper()
	gate, err := admission.NewGate(f, admission.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	return gate
}

func wants(t *testing.T, key string, units map[string]int64) order.Order {
	t.Helper()
	var lines []order.Line
	for sku, n := range units {
		lines = append(lines, order.Line{SKU: sku, Quantity: n, UnitPrice: 5})
	}
	o, err := order.New("c-1", key, "EUR", "tok_ok", lines)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTheGateSuspectsWhatIsShortOrLimited(t *testing.T) {
	t.Parallel()
	gate := newGate(t, &front{
		counts: map[string]int64{"mug": 3, "plate": 0, "fork": -2, "drop": 100}, limits: map[string]int64{"mug": 0, "drop": 2},
	})
	for _, c := range []struct {
		units map[string]int64
		want  bool
	}{
		{map[string]int64{"mug": 3}, false},
		{map[string]int64{"mug": 4}, true},
		{map[string]int64{"mug": 1, "plate": 1}, true},
		{map[string]int64{"fork": 1}, true},
		{map[string]int64{"drop": 1}, true},
		{map[string]int64{"not-loaded": 1000}, false},
		{map[string]int64{"not-loaded": 1000, "plate": 1}, true},
	} {
		for range 2 { // the second time from what it has seen
			if got := gate.Suspects(t.Context(), wants(t, "k", c.units)); got != c.want {
				t.Errorf("%v is suspect: %v", c.units, got)
			}
		}
	}
}

// TestARestockIsSellableWithinAMoment although the count is cached, and a flood costs few reads.
func TestARestockIsSellableWithinAMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &front{counts: map[string]int64{"mug": 0}}
		gate := newGate(t, f)
		o := wants(t, "k", map[string]int64{"mug": 1})
		var flood sync.WaitGroup
		for range 10_000 {
			flood.Go(func() {
				if !gate.Suspects(t.Context(), o) {
					t.Error("let in")
				}
			})
		}
		flood.Wait()
		if f.asked > 5 { // at most one more for each that may be under way
			t.Errorf("10,000 shoppers cost %d reads", f.asked)
		}
		f.counts = map[string]int64{"mug": 5}
		time.Sleep(101 * time.Millisecond)
		if gate.Suspects(t.Context(), o) {
			t.Error("still sold out a moment after the restock")
		}
	})
}

// TestRefusalsAreGathered, and each order gets its own.
func TestRefusalsAreGathered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &front{refusals: make(map[order.ID]order.Reservation)}
		gate := newGate(t, f)
		orders := make([]order.Order, 1000)
		for i := range orders {
			orders[i] = wants(t, fmt.Sprintf("k-%d", i), map[string]int64{"mug": 1})
			if i%2 == 0 {
				f.refusals[orders[i].ID] = order.Reservation{Verdict: order.SoldOut, SKUs: []string{"mug"}}
			}
		}
		var flood sync.WaitGroup
		for i, o := range orders {
			flood.Go(func() {
				if got, err := gate.Refusal(t.Context(), o); err != nil || got.Refused() != (i%2 == 0) {
					t.Errorf("order %d: %+v, %v", i, got, err)
				}
			})
		}
		flood.Wait()
		if f.asked > 10 {
			t.Errorf("1,000 orders cost %d reads", f.asked)
		}
	})
}

// TestWithoutAnAnswerTheGateIsOpen: the reservation behind it decides.
func TestWithoutAnAnswerTheGateIsOpen(t *testing.T) {
	t.Parallel()
	gate := newGate(t, &front{counts: map[string]int64{"mug": 0}, err: errors.New("connection refused")})
	o := wants(t, "k", map[string]int64{"mug": 1})
	if gate.Suspects(t.Context(), o) {
		t.Error("suspect although nothing is known")
	}
	if _, err := gate.Refusal(t.Context(), o); err == nil {
		t.Error("nobody knows whether the order would be refused")
	}
}
