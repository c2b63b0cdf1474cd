//go:build unix

package stock_test

import (
	"testing"

	"holdfast/order"
)

func (s *shop) verify(t *testing.T, orders ...order.Order) {
	t.Helper()
	if err := s.Verify(t.Context(), orders); err != nil {
		t.Error(err)
	}
}

func TestACountThatIncludesTheReservationStands(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		a, b := newOrder(t, "a", 3), newOrder(t, "b", 0, order.Line{SKU: "mug", Quantity: 2}, order.Line{SKU: "plate", Quantity: 1})
		wantReservations(t, s.Reserve(t.Context(), []order.Order{a, b}), reserved, reserved)
		s.wantUntouched(t, func() {
			s.verify(t, a, b)
			s.verify(t, b)
			s.verify(t)
		})
		s.wantBalance(t, "mug", 10)
	})
}

// The order database holds units that the count offers: whatever the reason, the count goes.
func TestACountThatMayNotIncludeTheReservationIsDeleted(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *shop, order.Order){
		"it was loaded since": func(t *testing.T, s *shop, _ order.Order) {
			t.Helper()
			if err := s.Forget(t.Context(), []string{"mug"}); err != nil {
				t.Fatal(err)
			}
		},
		"the reservation is gone": func(t *testing.T, s *shop, o order.Order) {
			t.Helper()
			s.rdb.Del(t.Context(), "r:{mug}"+o.ID.Digest())
		},
		"the reservation was released": func(t *testing.T, s *shop, o order.Order) {
			t.Helper()
			s.wantRelease(t, o, true, order.Released)
		},
		"everything was flushed": func(t *testing.T, s *shop, _ order.Order) {
			t.Helper()
			s.rdb.FlushAll(t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *shop) {
				o := newOrder(t, 1, 3)
				s.wantReserve(t, o, reserved)
				lose(t, s, o)
				s.wantReserve(t, newOrder(t, "next", 1), reserved) // loads, where there is no count
				s.change(func(s *shelves) { s.units["mug"] = 7 })  // the order is open by now
				s.verify(t, o)
				s.wantCount(t, "mug", notLoaded)
				s.wantReserve(t, newOrder(t, "after", 7), reserved)
				s.wantBalance(t, "mug", 7)
			})
		})
	}
}

func TestAnothersReservationIsNoneOfTheOrders(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, 1, 3), reserved)
		s.verify(t, newOrder(t, 1, 4)) // the same id, and its row holds four
		s.wantCount(t, "mug", notLoaded)
	})
}

// The row under the id turned out to be another order's. What this one got beside it goes back, and the
// owner of the id is neither robbed nor blocked.
func TestAForeignReleaseGivesBackItsOwnAlone(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		owner := newOrder(t, 1, 3)
		stranger := newOrder(t, 1, 0, order.Line{SKU: "mug", Quantity: 1}, order.Line{SKU: "plate", Quantity: 2})
		s.wantReserve(t, owner, reserved)
		s.wantReserve(t, stranger, order.Reservation{Verdict: order.KeyReused, Holds: true})
		s.wantCount(t, "plate", 3)
		release := func() {
			t.Helper()
			got := s.Release(t.Context(), []order.Releasing{{Order: stranger, Taken: true, Foreign: true}})
			if got[0].Failure != nil || got[0].Answer != order.KeyReused {
				t.Errorf("released as %+v", got[0])
			}
		}
		release()
		s.wantCount(t, "plate", 5)
		s.wantUntouched(t, release)
		s.wantReserve(t, owner, reserved)
		s.wantBalance(t, "mug", 10)
		// An order of that id with these SKUs is not blocked.
		s.wantReserve(t, newOrder(t, 1, 0, order.Line{SKU: "plate", Quantity: 4}), reserved)
	})
}

func TestAForeignReleaseOfAnOlderGenerationDeletesTheCount(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		stranger := newOrder(t, 1, 3)
		s.wantReserve(t, stranger, reserved)
		if err := s.Forget(t.Context(), []string{"mug"}); err != nil {
			t.Fatal(err)
		}
		s.wantReserve(t, newOrder(t, 2, 1), reserved)
		got := s.Release(t.Context(), []order.Releasing{{Order: stranger, Foreign: true}})
		if got[0].Failure != nil || got[0].Answer != order.Released {
			t.Errorf("released as %+v", got[0])
		}
		s.wantCount(t, "mug", notLoaded)
		s.wantReserve(t, newOrder(t, 1, 4), reserved)
	})
}

func TestAForeignReleaseOfNothingTouchesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, 2, 1), reserved)
		s.wantUntouched(t, func() {
			s.Release(t.Context(), []order.Releasing{{Order: newOrder(t, 1, 3), Taken: true, Foreign: true}})
		})
	})
}
