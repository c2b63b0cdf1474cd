//go:build unix

package stock_test

import (
	"testing"

	"holdfast/order"
)

func TestACountThatDoesWithoutTheUnitsStands(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		a, b := newOrder(t, "a", 3), newOrder(t, "b", 0, order.Line{SKU: "mug", Quantity: 2}, order.Line{SKU: "plate", Quantity: 1})
		wantReservations(t, s.Reserve(t.Context(), []order.Order{a, b}), reserved, reserved)
		heldA, heldB := s.hold(a), s.hold(b)
		s.align(t, heldA, heldB)
		s.wantUntouched(t, func() {
			s.align(t, old(heldA), old(heldB))
			s.align(t, heldB)
			s.align(t)
		})
		s.wantCount(t, "mug", 5)
		s.wantCount(t, "plate", 4)
		s.wantBalance(t, "mug", 10)
	})
}

// Whatever happened to Redis between an order's reservation and the moment at which its row held the units,
// the count then does without them, once, and without being read again.
func TestACountIsAlignedWithTheRow(t *testing.T) {
	forget := func(t *testing.T, s *shop, _ order.Order) {
		t.Helper()
		s.forget(t, "mug")
	}
	flush := func(t *testing.T, s *shop, _ order.Order) {
		t.Helper()
		s.rdb.FlushAll(t.Context())
	}
	loseReservation := func(t *testing.T, s *shop, o order.Order) {
		t.Helper()
		s.rdb.Del(t.Context(), "r:{mug}"+o.ID.Digest())
	}
	reload := func(t *testing.T, s *shop, _ order.Order) {
		t.Helper()
		s.wantReserve(t, newOrder(t, "loads", 11), soldOut("mug"))
	}
	again := func(t *testing.T, s *shop, o order.Order) {
		t.Helper()
		s.wantReserve(t, o, reserved)
	}
	type step = func(*testing.T, *shop, order.Order)
	for name, c := range map[string]struct {
		beforeHeld, afterHeld []step
		want                  int64
	}{
		"nothing happened":                               {nil, nil, 7},
		"forgotten and loaded before it is held":         {[]step{forget, reload}, nil, 7},
		"forgotten before, loaded after":                 {[]step{forget}, []step{reload}, 7},
		"forgotten and loaded after":                     {nil, []step{forget, reload}, 7},
		"flushed and loaded before":                      {[]step{flush, reload}, nil, notLoaded}, // it cannot be told from an eviction
		"flushed before, loaded after":                   {[]step{flush}, []step{reload}, 7},
		"flushed and loaded after":                       {nil, []step{flush, reload}, 7},
		"flushed, loaded and reserved again before":      {[]step{flush, again}, nil, 7},
		"flushed, loaded and reserved again after":       {nil, []step{flush, again}, 7},
		"forgotten, loaded and asked for again after":    {nil, []step{forget, reload, again}, 7},
		"flushed and not loaded":                         {nil, []step{flush}, notLoaded},
		"the reservation was lost and is reserved twice": {nil, []step{loseReservation, forget, again}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *shop) {
				o := newOrder(t, 1, 3)
				s.wantReserve(t, o, reserved)
				for _, do := range c.beforeHeld {
					do(t, s, o)
				}
				h := s.hold(o)
				for _, do := range c.afterHeld {
					do(t, s, o)
				}
				s.align(t, h)
				s.wantCount(t, "mug", c.want)
				s.align(t, old(h))
				s.wantCount(t, "mug", c.want)
				s.wantReleasing(t, s.give(h), order.Released)
				s.wantReserve(t, newOrder(t, "all", 10), reserved)
				s.wantCount(t, "mug", 0)
			})
		})
	}
}

// A step that is repeated late finds the order's units given back.
func TestAReleasedOrderIsAlignedNoMore(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 3)
		s.wantReserve(t, o, reserved)
		h := s.hold(o)
		s.align(t, h)
		s.wantReleasing(t, s.give(h), order.Released)
		s.wantCount(t, "mug", 10)
		s.wantUntouched(t, func() {
			s.align(t, h)
			s.align(t, old(h))
		})
	})
}

// A reservation may be evicted, or expire before the count does, which is put off by each order: whatever repeats
// the order then, the units must not leave the count again and again.
func TestAnEvictedReservationIsNotTakenForANewOne(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 3)
		s.wantReserve(t, o, reserved)
		h := s.hold(o)
		s.align(t, h)
		for range 3 {
			s.rdb.Del(t.Context(), "r:{mug}"+o.ID.Digest())
			s.wantReserve(t, o, reserved)
			s.align(t, old(h))
			s.wantReserve(t, newOrder(t, "too-many", 8), soldOut("mug"))
			s.wantCount(t, "mug", 7)
		}
		s.rdb.Del(t.Context(), "r:{mug}"+o.ID.Digest())
		s.wantReserve(t, o, reserved) // and its workflow dies
		s.wantReleasing(t, s.give(h), order.Released)
		s.wantReserve(t, newOrder(t, "all", 10), reserved)
	})
}

// A count that offered units which the row of another order held meanwhile goes below zero: it is owed them.
func TestACountThatOfferedTooMuchOwesThem(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		early := newOrder(t, "early", 8)
		s.wantReserve(t, early, reserved)
		s.forget(t, "mug")
		s.wantReserve(t, newOrder(t, "late", 10), reserved)
		h := s.hold(early)
		s.align(t, h)
		s.wantCount(t, "mug", -8)
		s.wantReserve(t, newOrder(t, "next", 1), soldOut("mug"))
		s.wantReleasing(t, s.give(h), order.Released)
		s.wantCount(t, "mug", 0)
	})
}

func TestAnOrderThatWasReleasedIsNotAligned(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 3)
		s.wantReserve(t, o, reserved)
		h := s.hold(o)
		s.wantReleasing(t, s.give(h), order.Released)
		s.wantReserve(t, newOrder(t, "other", 1), reserved)
		s.wantUntouched(t, func() { s.align(t, h) })
		s.wantCount(t, "mug", 9)
	})
}

func TestAnothersReservationIsNoneOfTheOrders(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, 1, 3), reserved)
		s.align(t, s.hold(newOrder(t, 1, 4))) // the same id, and its row holds four
		s.wantCount(t, "mug", notLoaded)
	})
}
