package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"holdfast/admission"
	"holdfast/order"
)

// sellOut has Redis know that no mug is left of so many.
func (s *shop) sellOut(left int64) {
	s.t.Helper()
	for _, outcome := range s.front.Reserve(s.t.Context(), []order.Order{orderOf(s.t, "c-other", "k-other", left)}) {
		if outcome.Failure != nil || outcome.Answer.Verdict != order.Reserved {
			s.t.Fatalf("reserving everything: %+v", outcome)
		}
	}
}

func orderOf(t testing.TB, customer, key string, mugs int64) order.Order {
	t.Helper()
	o, err := order.New(customer, key, "EUR", "tok_ok", []order.Line{{SKU: "mug", Quantity: mugs, UnitPrice: 300}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestTheGateTurnsAwayWithoutStartingAnything, and says so.
func TestTheGateTurnsAwayWithoutStartingAnything(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sellOut(100)
	s.unchanged(func() {
		p := problem(t, s.post(goodBody), http.StatusConflict, slugSoldOut)
		if p.OrderID != "" || len(p.SKUs) != 1 || p.SKUs[0] != "mug" {
			t.Errorf("answered %+v", p)
		}
	})
	s.redis.FlushAll()
	time.Sleep(110 * time.Millisecond) // what the gate has seen holds for a moment
	document[orderDoc](t, s.post(goodBody), http.StatusCreated)
}

// TestTheGateKnowsWhoHasBeenIn: a repeat of the order that took the last units is no new one.
func TestTheGateKnowsWhoHasBeenIn(t *testing.T) {
	t.Parallel()
	t.Run("on record", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		s.confirm(goodOrder(t))
		s.sellOut(98)
		s.unchanged(func() { document[orderDoc](t, s.post(goodBody), http.StatusCreated) })
	})
	t.Run("reserved", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		if r := s.front.Reserve(t.Context(), []order.Order{goodOrder(t)}); r[0].Answer.Verdict != order.Reserved {
			t.Fatalf("%+v", r)
		}
		if r := s.front.Reserve(t.Context(), []order.Order{orderOf(t, "c-other", "k-other", 98)}); r[0].Answer.Verdict != order.Reserved {
			t.Fatalf("%+v", r)
		}
		document[orderDoc](t, s.post(goodBody), http.StatusCreated)
	})
	t.Run("waiting for its turn", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		s.temporal.run, s.temporal.forever = nil, true
		ticket, err := s.api.admission.Enter(t.Context(), goodOrder(t))
		if err != nil {
			t.Fatal(err)
		}
		defer ticket.Leave()
		s.sellOut(100)
		s.open(goodOrder(t))
		document[orderDoc](t, s.send(request{
			method: http.MethodPost, path: "/v1/orders", body: goodBody, header: map[string]string{"Prefer": "wait=0"},
		}), http.StatusAccepted)
	})
	t.Run("under the key of another", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		s.confirm(orderOf(t, "c-1", "key-1", 1))
		s.sellOut(99)
		problem(t, s.post(goodBody), http.StatusUnprocessableEntity, slugKeyReused)
	})
}

// TestTheGateKnowsWhatACustomerHas.
func TestTheGateKnowsWhatACustomerHas(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	document[stockDoc](t, s.send(request{method: http.MethodPut, path: "/v1/stock/drop", body: `{"on_hand":10,"limit_per_customer":2}`}), http.StatusCreated)
	buy := func(key string, units int) *httptest.ResponseRecorder {
		body := fmt.Sprintf(`{"customer_id":"c-1","currency":"EUR","payment_method":"tok_ok","lines":[{"sku":"drop","quantity":%d,"unit_price":300}]}`, units)
		return s.send(request{method: http.MethodPost, path: "/v1/orders", body: body, header: map[string]string{"Idempotency-Key": key}})
	}
	first, err := order.New("c-1", "k-1", "EUR", "tok_ok", []order.Line{{SKU: "drop", Quantity: 2, UnitPrice: 300}})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.front.Reserve(t.Context(), []order.Order{first}); r[0].Answer.Verdict != order.Reserved {
		t.Fatalf("%+v", r)
	}
	document[orderDoc](t, buy("k-1", 2), http.StatusCreated)
	document[orderDoc](t, buy("k-1", 2), http.StatusCreated)
	s.unchanged(func() {
		if p := problem(t, buy("k-2", 1), http.StatusConflict, slugLimitExceeded); p.OrderID != "" || len(p.SKUs) != 1 {
			t.Errorf("answered %+v", p)
		}
	})
}

func TestWithoutRedisTheGateIsOpen(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sellOut(100)
	s.redis.Close()
	document[orderDoc](t, s.post(goodBody), http.StatusCreated)
}

// TestAnOrderWhoseTurnDoesNotComeIsNotStarted, and its shopper is told so.
func TestAnOrderWhoseTurnDoesNotComeIsNotStarted(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(d *Deps) { d.Limits.InFlight = 1 })
	s.temporal.forever = true
	s.api.patience.row = 500 * time.Millisecond
	ticket, err := s.api.admission.Enter(t.Context(), orderFor(t, "key-before"))
	if err != nil {
		t.Fatal(err)
	}
	defer ticket.Leave()
	for s.temporal.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	s.unchanged(func() {
		w := s.send(request{method: http.MethodPost, path: "/v1/orders", body: goodBody, header: map[string]string{"Prefer": "wait=0"}})
		problem(t, w, http.StatusServiceUnavailable, slugFull)
		if w.Header().Get("Retry-After") == "" {
			t.Error("it does not say when to come again")
		}
	})
	s.confirm(goodOrder(t)) // by an earlier request
	document[orderDoc](t, s.send(request{
		method: http.MethodPost, path: "/v1/orders", body: goodBody, header: map[string]string{"Prefer": "wait=0"},
	}), http.StatusCreated)
}

// TestAStopTurnsAwayWhoeverWaits with an answer that is no alarm.
func TestAStopTurnsAwayWhoeverWaits(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.api.Drain()
	s.unchanged(func() { problem(t, s.post(goodBody), http.StatusServiceUnavailable, slugFull) })
	if errs := s.logs.errors(); len(errs) > 0 {
		t.Errorf("logged %q", errs)
	}
}

// TestAStopAnswersWhoeverWaitsForHisTurn as turned away, although his wait ends in the same moment as his turn.
func TestAStopAnswersWhoeverWaitsForHisTurn(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(d *Deps) { d.Limits.InFlight = 1 })
	land := make(chan struct{})
	defer close(land)
	s.temporal.run = func(order.Order) { <-land }
	var tickets []*admission.Ticket
	for i := range 20 { // the first goes at once
		ticket, err := s.api.admission.Enter(t.Context(), orderFor(t, fmt.Sprintf("key-%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		tickets = append(tickets, ticket)
	}
	s.api.Drain()
	for _, ticket := range tickets[1:] {
		if _, err := s.api.await(t.Context(), ticket, goodOrder(t).ID, time.Now()); !errors.Is(err, admission.ErrDraining) {
			t.Errorf("the wait ended with %v", err)
		}
	}
	tickets[0].Leave()
}

// TestWhoDoesNotWaitForTheEndIsLetInAfterOthers.
func TestWhoDoesNotWaitForTheEndIsLetInAfterOthers(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(d *Deps) { d.Limits.InFlight = 1 })
	land := make(chan struct{})
	s.temporal.run = func(o order.Order) {
		if o.ID != goodOrder(t).ID {
			<-land
		}
		s.confirm(o)
	}
	ticket, err := s.api.admission.Enter(t.Context(), orderFor(t, "key-before"))
	if err != nil {
		t.Fatal(err)
	}
	defer ticket.Leave()
	time.AfterFunc(50*time.Millisecond, func() { close(land) })
	w := s.send(request{method: http.MethodPost, path: "/v1/orders", body: goodBody, header: map[string]string{"Prefer": "wait=0"}})
	if w.Code != http.StatusCreated && w.Code != http.StatusAccepted {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
}

// TestWhatMayHaveStartedIsNeverToldThatNothingWas: its workflow began and no worker has come to it yet.
func TestWhatMayHaveStartedIsNeverToldThatNothingWas(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.api.patience.row = 500 * time.Millisecond
	s.temporal.err = errors.New("no answer in time")
	problem(t, s.post(goodBody), http.StatusServiceUnavailable, slugUnavailable)
	s.sellOut(100)
	problem(t, s.post(goodBody), http.StatusServiceUnavailable, slugUnavailable) // not: sold out
	s.api.Drain()
	problem(t, s.post(goodBody), http.StatusServiceUnavailable, slugUnavailable) // not: full
}

// TestARepeatIsNotDisturbedByAWrongOneInFlight under the same key.
func TestARepeatIsNotDisturbedByAWrongOneInFlight(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.confirm(goodOrder(t))
	s.temporal.run, s.temporal.forever = nil, true
	ticket, err := s.api.admission.Enter(t.Context(), orderOf(t, "c-1", "key-1", 7))
	if err != nil {
		t.Fatal(err)
	}
	defer ticket.Leave()
	document[orderDoc](t, s.post(goodBody), http.StatusCreated)
}
