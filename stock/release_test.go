//go:build unix

package stock_test

import (
	"testing"

	"holdfast/order"
)

func TestAReleaseGivesTheUnitsBackOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 3)
		s.wantReserve(t, o, reserved)
		s.wantReserve(t, newOrder(t, 2, 4), reserved)
		for range 3 {
			s.wantRelease(t, o, true, order.Released)
			s.wantCount(t, "mug", 6)
			s.wantBalance(t, "mug", 10)
		}
		s.wantRelease(t, o, false, order.Released)
		s.wantCount(t, "mug", 6)
		s.wantLoads(t, "mug", 1)
	})
}

func TestAReleaseBlocksALateReserve(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, "other", 1), reserved)
		released := order.Reservation{Verdict: order.Released}
		before, never := newOrder(t, "before", 3), newOrder(t, "never", 3)
		s.wantReserve(t, before, reserved)
		for _, o := range []order.Order{before, never} {
			s.wantRelease(t, o, false, order.Released)
			s.wantUntouched(t, func() {
				s.wantReserve(t, o, released)
				s.wantReserve(t, o, released)
			})
		}
		s.wantCount(t, "mug", 9)
		s.wantBalance(t, "mug", 10)
	})
}

// Whatever count the units left, and however often it was read since: a release gives each back to the count
// that does without it, and to no other.
func TestAReleaseIsExactWhateverWasLoaded(t *testing.T) {
	type step = func(*testing.T, *shop)
	forget := func(t *testing.T, s *shop) { t.Helper(); s.forget(t, "mug") }
	flush := func(t *testing.T, s *shop) { t.Helper(); s.rdb.FlushAll(t.Context()) }
	load := func(t *testing.T, s *shop) {
		t.Helper()
		s.wantReserve(t, newOrder(t, "too-many", 11), soldOut("mug"))
	}
	for name, c := range map[string]struct {
		whileHeld, afterwards []step
		loads                 int
	}{
		"nothing happened":             {nil, nil, 1},
		"loaded while it was held":     {[]step{forget, load}, nil, 2},
		"flushed while it was held":    {[]step{flush, load}, nil, 2},
		"loaded afterwards":            {nil, []step{forget, load}, 2},
		"flushed afterwards":           {nil, []step{flush, load}, 2},
		"forgotten, loaded afterwards": {[]step{forget}, []step{load}, 2},
		"loaded and loaded again":      {[]step{forget, load}, []step{forget, load}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *shop) {
				o := newOrder(t, 1, 3)
				s.wantReserve(t, o, reserved)
				h := s.hold(o)
				s.align(t, h)
				for _, do := range c.whileHeld {
					do(t, s)
				}
				r := s.give(h)
				for _, do := range c.afterwards {
					do(t, s)
				}
				for range 3 {
					s.wantReleasing(t, r, order.Released)
					s.wantCount(t, "mug", 10)
				}
				s.wantLoads(t, "mug", c.loads)
			})
		})
	}
}

// A line that Redis refused has nothing to give back, and its count, which sends shoppers away for free, stays.
func TestARefusedLineLeavesItsCountAlone(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.change(func(s *shelves) { s.units["plate"] = 0 })
		for i := range 20 {
			o := newOrder(t, i, 0, order.Line{SKU: "mug", Quantity: 1}, order.Line{SKU: "plate", Quantity: 1})
			s.wantReserve(t, o, order.Reservation{Verdict: order.SoldOut, SKUs: []string{"plate"}, Taken: true})
			s.wantReleasing(t, order.Releasing{Order: o, Taken: true, NotTaken: []string{"plate"}}, order.Released)
		}
		s.wantLoads(t, "plate", 1)
		s.wantCount(t, "mug", 10)
	})
}

// Someone else closed the row, so that it is not known when it gave the units back: a count that may have been
// read before is deleted, never corrected.
func TestAReleaseThatDoesNotKnowDeletesTheCount(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 3)
		s.wantReserve(t, o, reserved)
		h := s.hold(o)
		s.forget(t, "mug")
		s.wantReserve(t, newOrder(t, 2, 1), reserved)
		r := s.give(h)
		r.Holds[0].Until = 0
		s.wantReleasing(t, r, order.Released)
		s.wantCount(t, "mug", notLoaded)
		s.wantReserve(t, newOrder(t, 3, 10), reserved)
		s.wantReleasing(t, r, order.Released) // once is enough
		s.wantBalance(t, "mug", 10)
	})
}

// One lost count must not lose those after it: orders in flight when it was lost give their units back to
// the next, however many there are.
func TestOneForgottenCountIsLoadedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		const orders = 40
		s.change(func(s *shelves) { s.units["mug"] = 1000 })
		var inFlight []order.Held
		for round := range orders {
			o := newOrder(t, round, 2)
			s.wantReserve(t, o, reserved)
			inFlight = append(inFlight, s.hold(o))
			s.align(t, inFlight[round])
		}
		s.forget(t, "mug")
		for round, h := range inFlight {
			o := newOrder(t, orders+round, 1)
			s.wantReserve(t, o, reserved)
			s.align(t, s.hold(o))
			s.wantReleasing(t, s.give(h), order.Released)
		}
		s.wantLoads(t, "mug", 2)
		s.wantCount(t, "mug", 1000-orders)
	})
}

func TestAReleaseWithoutAReservation(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, "other", 1), reserved)
		// Nothing was taken for it anywhere: the count stands.
		s.wantRelease(t, newOrder(t, "never", 3), false, order.Released)
		s.wantCount(t, "mug", 9)
		// Units came back of which the count does not know.
		late := newOrder(t, "expired", 3)
		s.wantRelease(t, late, true, order.Released)
		s.wantCount(t, "mug", notLoaded)
		// Once is enough.
		s.wantReserve(t, newOrder(t, "next", 1), reserved)
		s.wantRelease(t, late, true, order.Released)
		s.wantCount(t, "mug", 9)
	})
}

func TestEverythingIsFlushedBetweenReserveAndRelease(t *testing.T) {
	for name, taken := range map[string]bool{"units were taken": true, "none were": false} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *shop) {
				o := newOrder(t, 1, 3)
				s.wantReserve(t, o, reserved)
				if err := s.rdb.FlushAll(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
				s.wantReserve(t, newOrder(t, 2, 2), reserved)
				s.wantRelease(t, o, taken, order.Released)
				s.wantReserve(t, o, order.Reservation{Verdict: order.Released})
				s.wantReserve(t, newOrder(t, 3, 1), reserved)
				if taken {
					s.wantCount(t, "mug", 9) // loaded afresh for the last one
				} else {
					s.wantCount(t, "mug", 7)
				}
			})
		})
	}
}

func TestABatchOfReleases(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		a, b := newOrder(t, "a", 3), newOrder(t, "b", 0, order.Line{SKU: "mug", Quantity: 2}, order.Line{SKU: "plate", Quantity: 1})
		other := newOrder(t, "a", 4)
		wantReservations(t, s.Reserve(t.Context(), []order.Order{a, b}), reserved, reserved)
		got := s.Release(t.Context(), []order.Releasing{{Order: other, Taken: true}, {Order: b}, {Order: a, Taken: true}, {Order: a, Taken: true}})
		for i, want := range []order.Verdict{order.KeyReused, order.Released, order.Released, order.Released} {
			if got[i].Failure != nil || got[i].Answer != want {
				t.Errorf("outcome %d: %+v, want %s", i, got[i], want)
			}
		}
		s.wantCount(t, "mug", 10)
		s.wantCount(t, "plate", 5)
	})
}

func TestManyReleasesAtOnceGiveTheUnitsBackOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		const orders, workers = 5, 8
		var releases []order.Releasing
		for i := range orders {
			o := newOrder(t, i, 2)
			s.wantReserve(t, o, reserved)
			releases = append(releases, order.Releasing{Order: o, Taken: true})
		}
		s.wantCount(t, "mug", 0)
		atOnce(workers, func(int) {
			for i, o := range s.Release(t.Context(), releases) {
				if o.Failure != nil || o.Answer != order.Released {
					t.Errorf("order %d: %+v", i, o)
				}
			}
		})
		s.wantCount(t, "mug", 10)
	})
}

// An order may be reserved and released by two workers at the same time, in any order.
func TestReserveAndReleaseAtOnceLoseNoUnit(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		const rounds = 50
		s.wantReserve(t, newOrder(t, "too-many", 11), soldOut("mug")) // loads
		for round := range rounds {
			o := newOrder(t, round, 10)
			atOnce(2, func(i int) {
				if (i+round)%2 == 0 {
					s.Reserve(t.Context(), []order.Order{o})
				} else {
					s.Release(t.Context(), []order.Releasing{{Order: o}})
				}
			})
			s.wantCount(t, "mug", 10)
		}
		s.wantBalance(t, "mug", 10)
	})
}

// A program that has not heard yet that the epoch is over gives back what was taken from a count of the new one.
func TestAReleaseInAnOldEpochReachesTheNewCount(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, "warm", 0, order.Line{SKU: "plate", Quantity: 1}), reserved)
		s.change(func(s *shelves) { s.epoch++ })
		other := s.again(t)
		o := newOrder(t, "new", 3)
		wantReservations(t, other.Reserve(t.Context(), []order.Order{o}), reserved)
		s.wantRelease(t, o, true, order.Released)
		s.wantCount(t, "mug", 10)
	})
}

// A reservation that was lost before the row's units were counted, and made again, took them from the count a second time: how often, nobody
// knows.
func TestAReleaseOfAReservationThatMayHaveBeenMadeTwice(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 3)
		s.wantReserve(t, o, reserved)
		h := s.hold(o)
		s.rdb.Del(t.Context(), "r:{mug}"+o.ID.Digest())
		s.wantReserve(t, o, reserved)
		s.wantReleasing(t, s.give(h), order.Released)
		s.wantCount(t, "mug", notLoaded)
		s.wantReserve(t, newOrder(t, "all", 10), reserved)
	})
}

// The reservation under the order's id is a stranger's, and the row is this order's: the count does without its units, and who
// knows them is gone.
func TestAReleaseBesideAStrangersReservation(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		owner, stranger := newOrder(t, 1, 3), newOrder(t, 1, 1)
		s.wantReserve(t, owner, reserved)
		h := s.hold(owner)
		s.rdb.FlushAll(t.Context())
		s.wantReserve(t, stranger, reserved)
		s.wantCount(t, "mug", 6)
		s.wantReleasing(t, s.give(h), order.KeyReused)
		s.wantCount(t, "mug", notLoaded)
	})
}
