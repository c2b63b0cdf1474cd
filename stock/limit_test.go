//go:build unix

package stock_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/order"
)

// limited sets how many units of "mug" one customer may have, before it is loaded.
func (s *shop) limited(limit int64) {
	s.change(func(s *shelves) { s.limits["mug"] = limit })
}

func beyond(skus ...string) order.Reservation {
	return order.Reservation{Verdict: order.LimitExceeded, SKUs: skus}
}

// wantNoted compares what the count of "mug" knows of alice's orders.
func (s *shop) wantNoted(t *testing.T, orders ...order.Order) {
	t.Helper()
	var want []string
	for _, o := range orders {
		want = append(want, fmt.Sprint(o.ID.Digest()[:8], "=", o.Lines[0].Quantity))
	}
	noted := s.rdb.HGet(t.Context(), "s:{mug}", ":alice").Val()
	got := strings.Fields(noted)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("of alice is noted %q, want %q", got, want)
	}
}

func TestACustomerReservesNoMoreThanTheLimit(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.limited(3)
		first, second := orderOf(t, "alice", 1, 1), orderOf(t, "alice", 2, 2)
		s.wantReserve(t, orderOf(t, "alice", 0, 4), beyond("mug"))
		s.wantReserve(t, first, reserved)
		s.wantReserve(t, orderOf(t, "alice", 3, 3), beyond("mug"))
		s.wantReserve(t, second, reserved)
		s.wantUntouched(t, func() {
			s.wantReserve(t, orderOf(t, "alice", 4, 1), beyond("mug"))
			s.wantReserve(t, orderOf(t, "bob", 1, 4), beyond("mug"))
			s.wantReserve(t, first, reserved)
			s.wantReserve(t, second, reserved)
		})
		s.wantReserve(t, orderOf(t, "bob", 2, 3), reserved)
		s.wantNoted(t, first, second)
		s.wantCount(t, "mug", 4)
		s.wantBalance(t, "mug", 10)
	})
}

func TestWhatIsReleasedMayBeReservedAgain(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.limited(2)
		first, second := orderOf(t, "alice", 1, 1), orderOf(t, "alice", 2, 1)
		s.wantReserve(t, first, reserved)
		s.wantReserve(t, second, reserved)
		s.wantRelease(t, first, true, order.Released)
		s.wantNoted(t, second)
		s.wantRelease(t, first, true, order.Released)
		s.wantRelease(t, orderOf(t, "alice", "never", 1), false, order.Released)
		s.wantReserve(t, orderOf(t, "alice", 3, 2), beyond("mug"))
		third := orderOf(t, "alice", 4, 1)
		s.wantReserve(t, third, reserved)

		// A cancelled order whose row held or had sold the units gives them back as well.
		held := s.hold(third)
		s.align(t, held)
		s.wantReserve(t, orderOf(t, "alice", 5, 1), beyond("mug"))
		s.wantReleasing(t, s.give(held), order.Released)
		s.wantNoted(t, second)
		s.wantRelease(t, second, true, order.Released)
		s.wantNoted(t)
		if s.rdb.HExists(t.Context(), "s:{mug}", ":alice").Val() {
			t.Error("a customer without units takes memory")
		}
		s.wantCount(t, "mug", 10)
		s.wantBalance(t, "mug", 10)
	})
}

// The order's own reservation may be evicted: what the count knows of it must not stand in its own way.
func TestAnOrderIsNotRefusedForItself(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.limited(2)
		o := orderOf(t, "alice", 1, 2)
		s.wantReserve(t, o, reserved)
		s.rdb.Del(t.Context(), "r:{mug}"+o.ID.Digest())
		s.wantReserve(t, o, reserved)
		s.wantNoted(t, o)
		s.wantReserve(t, orderOf(t, "alice", 2, 1), beyond("mug"))
		s.wantRelease(t, o, true, order.Released)
		s.wantReserve(t, orderOf(t, "alice", 3, 2), reserved)
	})
}

// After a wipe, an eviction or a reload Redis knows less than the rows, and lets more through, which the rows then refuse.
func TestANewCountRefusesNobodyForWhatTheOldOneKnew(t *testing.T) {
	for name, disturb := range map[string]func(t *testing.T, s *shop){
		"wiped":      func(t *testing.T, s *shop) { s.rdb.FlushAll(t.Context()) },
		"forgotten":  func(t *testing.T, s *shop) { s.forget(t, "mug") },
		"evicted":    func(t *testing.T, s *shop) { s.rdb.Del(t.Context(), "s:{mug}") },
		"next epoch": func(t *testing.T, s *shop) { s.change(func(s *shelves) { s.epoch++ }); s.Front = s.again(t) },
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *shop) {
				s.limited(2)
				old, held := orderOf(t, "alice", 1, 1), orderOf(t, "alice", 2, 1)
				s.wantReserve(t, old, reserved)
				s.wantReserve(t, held, reserved)
				row := s.hold(held)
				s.align(t, row)
				disturb(t, s)
				more, again := orderOf(t, "alice", 3, 1), orderOf(t, "alice", 4, 1)
				s.wantReserve(t, more, reserved)
				s.wantReserve(t, again, reserved)
				s.wantNoted(t, more, again)
				s.wantReserve(t, orderOf(t, "alice", 5, 1), beyond("mug"))
				// The row refused it: the count was right all the same, and stays.
				s.wantRelease(t, again, true, order.Released)
				// What belongs to the old count gives nothing back that the new one knows of.
				s.wantReleasing(t, s.give(row), order.Released)
				s.wantNoted(t, more)
				s.wantCount(t, "mug", 9)
				s.wantRelease(t, old, true, order.Released)
				if name != "wiped" { // which lost the old reservation too, so that the new count is not sure of anything
					s.wantNoted(t, more)
					s.wantReserve(t, orderOf(t, "alice", 6, 2), beyond("mug"))
				}
				s.wantReserve(t, orderOf(t, "alice", 7, 1), reserved)
			})
		})
	}
}

func TestAChangedLimitHoldsOnceTheCountIsForgotten(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		want := func(limit int64) {
			t.Helper()
			limits, err := s.Limits(t.Context(), []string{"mug", "plate"})
			if got, loaded := limits["mug"]; err != nil || !loaded || got != limit || len(limits) != 1 {
				t.Errorf("the limits are %v, %v, want %d", limits, err, limit)
			}
		}
		s.wantReserve(t, orderOf(t, "alice", 1, 2), reserved)
		want(0)
		s.limited(1)
		s.forget(t, "mug")
		s.wantReserve(t, orderOf(t, "alice", 2, 2), beyond("mug"))
		want(1)
		s.limited(0)
		s.forget(t, "mug")
		s.wantReserve(t, orderOf(t, "alice", 3, 2), reserved)
		want(0)
	})
}

func TestWithoutALimitNothingIsKeptOfCustomers(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 2)
		s.wantReserve(t, o, reserved)
		s.wantRelease(t, o, true, order.Released)
		s.wantReserve(t, newOrder(t, 2, 2), reserved)
		if fields := s.rdb.HLen(t.Context(), "s:{mug}").Val(); fields != 4 {
			t.Errorf("the count has %d fields: %v", fields, s.rdb.HGetAll(t.Context(), "s:{mug}").Val())
		}
	})
}

func TestLinesAreRefusedEachForItsReason(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.limited(2)
		lines := []order.Line{{SKU: "fork", Quantity: 1}, {SKU: "mug", Quantity: 3}, {SKU: "plate", Quantity: 6}}
		got := s.Reserve(t.Context(), []order.Order{newOrder(t, 1, 0, lines...), newOrder(t, 2, 0, lines[1:]...), newOrder(t, 3, 0, lines[1:2]...)})
		wantReservations(t, got, order.Reservation{Verdict: order.UnknownSKU, SKUs: []string{"fork"}}, soldOut("plate"), beyond("mug"))
		for i, want := range []string{"[fork plate mug]", "[plate mug]", "[mug]"} {
			if notTaken := fmt.Sprint(got[i].Answer.NotTaken()); notTaken != want {
				t.Errorf("order %d: not taken %s, want %s", i, notTaken, want)
			}
		}
		// A release that knows what was not taken leaves the counts as they are.
		s.wantReleasing(t, order.Releasing{Order: newOrder(t, 2, 0, lines[1:]...), Taken: true, NotTaken: got[1].Answer.NotTaken()}, order.Released)
		s.wantCount(t, "mug", 10)
		s.wantCount(t, "plate", 5)
	})
}

func TestManyOrdersOfManyCustomersAtOnceStayWithinTheLimit(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		const buyers, each, limit = 8, 6, 2
		s.change(func(s *shelves) { s.units["mug"], s.limits["mug"] = 100, limit })
		var outcomes [buyers * each * 2]order.Outcome[order.Reservation]
		orders := func(i int) order.Order { return orderOf(t, fmt.Sprint("c-", i%buyers), i/buyers%each, 1) }
		atOnce(len(outcomes), func(i int) { outcomes[i] = s.Reserve(t.Context(), []order.Order{orders(i)})[0] })
		held := map[order.ID]bool{}
		for i, o := range outcomes {
			switch {
			case o.Failure != nil:
				t.Error(o.Failure)
			case o.Answer.Verdict == order.Reserved:
				held[orders(i).ID] = true
			case o.Answer.Verdict != order.LimitExceeded:
				t.Errorf("order %d: %+v", i, o.Answer)
			}
		}
		if len(held) != buyers*limit {
			t.Errorf("%d units are reserved for %d customers who may have %d", len(held), buyers, limit)
		}
		s.wantCount(t, "mug", 100-buyers*limit)
		s.wantBalance(t, "mug", 100)
	})
}

// The gate asks before anything is started.
func TestRefusalsAreWhatReserveWouldSay(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.limited(3)
		reservedBefore := orderOf(t, "alice", 1, 2)
		ask := []order.Order{
			reservedBefore, orderOf(t, "alice", 2, 2), orderOf(t, "alice", 3, 1), orderOf(t, "bob", 1, 4), orderOf(t, "bob", 2, 3),
			orderOf(t, "bob", 3, 0, order.Line{SKU: "mug", Quantity: 4}, order.Line{SKU: "plate", Quantity: 6}),
			orderOf(t, "bob", 4, 0, order.Line{SKU: "plate", Quantity: 6}),
		}
		want := func(want ...order.Reservation) {
			t.Helper()
			s.wantUntouched(t, func() {
				refusals, err := s.Refusals(t.Context(), ask)
				if err != nil {
					t.Fatal(err)
				}
				for i, w := range want {
					if r := refusals[i]; r.Verdict != w.Verdict || !slices.Equal(r.SKUs, w.SKUs) || r.Taken {
						t.Errorf("order %d: %+v, want %+v", i, r, w)
					}
				}
			})
		}
		nothing := order.Reservation{}
		want(nothing, nothing, nothing, nothing, nothing, nothing, nothing) // nothing is loaded
		s.wantReserve(t, reservedBefore, reserved)
		want(nothing, beyond("mug"), nothing, beyond("mug"), nothing, beyond("mug"), nothing)
		s.wantReserve(t, orderOf(t, "carol", 1, 0, order.Line{SKU: "plate", Quantity: 1}), reserved)
		want(nothing, beyond("mug"), nothing, beyond("mug"), nothing, soldOut("plate"), soldOut("plate"))
		s.change(func(s *shelves) { s.epoch++ })
		s.Front = s.again(t)
		want(nothing, nothing, nothing, nothing, nothing, nothing, nothing) // no count of that epoch is trusted
		if refusals, err := s.Refusals(t.Context(), nil); err != nil || len(refusals) != 0 {
			t.Errorf("no orders are refused as %v, %v", refusals, err)
		}
	})
}
