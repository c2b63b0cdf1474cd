//go:build unix

package stock_test

import (
	"testing"

	"holdfast/order"
)

// The row under the id turned out to be another order's. What this one got beside it goes back, and the
// owner of the id is neither robbed nor blocked.
func TestAForeignReleaseGivesBackItsOwnAlone(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		owner := newOrder(t, 1, 3)
		stranger := newOrder(t, 1, 0, order.Line{SKU: "mug", Quantity: 1}, order.Line{SKU: "plate", Quantity: 2})
		s.wantReserve(t, owner, reserved)
		s.wantReserve(t, stranger, order.Reservation{Verdict: order.KeyReused, Taken: true})
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

func TestAForeignReleaseOfAnOlderGenerationLeavesTheCountAlone(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		stranger := newOrder(t, 1, 3)
		s.wantReserve(t, stranger, reserved)
		s.forget(t, "mug")
		s.wantReserve(t, newOrder(t, 2, 1), reserved)
		got := s.Release(t.Context(), []order.Releasing{{Order: stranger, Foreign: true}})
		if got[0].Failure != nil || got[0].Answer != order.Released {
			t.Errorf("released as %+v", got[0])
		}
		s.wantCount(t, "mug", 9) // which never did without its units
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
