//go:build unix

package stock_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/stock"
)

func TestARepeatedReserveFindsItsReservation(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 3)
		s.wantReserve(t, o, reserved)
		s.wantReserve(t, o, reserved)
		s.wantCount(t, "mug", 7)
		s.wantBalance(t, "mug", 10)
	})
}

// The deduction succeeded but its answer was lost. Who looks at the stock first tells the caller that
// it is sold out, and the unit is gone for good.
func TestTheLastUnitAskedForTwice(t *testing.T) {
	t.Run("the last unit, asked for twice", func(t *testing.T) {
		onEach(t, func(t *testing.T, s *shop) {
			o := newOrder(t, 1, 10)
			s.Reserve(t.Context(), []order.Order{o}) // nobody hears the answer
			s.wantReserve(t, o, reserved)
			s.wantReserve(t, newOrder(t, 2, 1), soldOut("mug"))
			s.wantReserve(t, o, reserved)
			s.wantCount(t, "mug", 0)
			s.wantBalance(t, "mug", 10)
		})
	})
}

func TestNoMoreIsReservedThanThereIs(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, 1, 11), soldOut("mug"))
		s.wantReserve(t, newOrder(t, 2, 9), reserved)
		s.wantReserve(t, newOrder(t, 3, 2), soldOut("mug"))
		s.wantReserve(t, newOrder(t, 4, 1), reserved)
		s.wantReserve(t, newOrder(t, 5, 1), soldOut("mug"))
		s.wantBalance(t, "mug", 10)
	})
}

func TestAnUnknownSKUIsNamed(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 0, order.Line{SKU: "mug", Quantity: 1}, order.Line{SKU: "spoon", Quantity: 1}, order.Line{SKU: "fork", Quantity: 1})
		unknown := order.Reservation{Verdict: order.UnknownSKU, SKUs: []string{"fork", "spoon"}, Taken: true}
		s.wantReserve(t, o, unknown)
		s.wantReserve(t, o, unknown)
		s.wantBalance(t, "mug", 10)
		// Once it exists, it is found: nothing remembers that it did not.
		s.change(func(s *shelves) { s.units["spoon"], s.units["fork"] = 1, 1 })
		s.wantReserve(t, o, reserved)
	})
}

func TestOneLineIsSoldOut(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 0, order.Line{SKU: "mug", Quantity: 3}, order.Line{SKU: "plate", Quantity: 6})
		half := order.Reservation{Verdict: order.SoldOut, SKUs: []string{"plate"}, Taken: true}
		s.wantReserve(t, o, half)
		s.wantReserve(t, o, half)
		s.wantCount(t, "mug", 7)
		// The row was rejected without having held anything.
		s.wantRelease(t, o, false, order.Released)
		s.wantCount(t, "mug", 10)
		s.wantCount(t, "plate", 5)
		s.wantReserve(t, o, order.Reservation{Verdict: order.Released})
	})
}

func TestABatchIsAnsweredInItsOrder(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		both := newOrder(t, "both", 0, order.Line{SKU: "mug", Quantity: 6}, order.Line{SKU: "plate", Quantity: 5})
		got := s.Reserve(t.Context(), []order.Order{
			newOrder(t, 1, 4), both, newOrder(t, 2, 1), both,
			newOrder(t, 3, 0, order.Line{SKU: "plate", Quantity: 1}), newOrder(t, 4, 0, order.Line{SKU: "spoon", Quantity: 1}),
			newOrder(t, 1, 3),
		})
		wantReservations(t, got, reserved, reserved, soldOut("mug"), reserved, soldOut("plate"),
			order.Reservation{Verdict: order.UnknownSKU, SKUs: []string{"spoon"}}, order.Reservation{Verdict: order.KeyReused})
		s.wantBalance(t, "mug", 10)
		s.wantBalance(t, "plate", 5)
		if got := s.Reserve(t.Context(), nil); len(got) != 0 {
			t.Errorf("no orders were answered %v", got)
		}
		if got := s.Release(t.Context(), nil); len(got) != 0 {
			t.Errorf("no orders were answered %v", got)
		}
		if err := s.Forget(t.Context(), nil); err != nil {
			t.Error(err)
		}
		if counts, err := s.Counts(t.Context(), nil); err != nil || len(counts) != 0 {
			t.Errorf("no counts are %v, %v", counts, err)
		}
	})
}

func TestAnotherFingerprintTouchesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o, other := newOrder(t, 1, 3), newOrder(t, 1, 4)
		s.wantReserve(t, o, reserved)
		reused := order.Reservation{Verdict: order.KeyReused}
		s.wantUntouched(t, func() {
			s.wantReserve(t, other, reused)
			s.wantRelease(t, other, false, order.KeyReused)
			s.wantRelease(t, other, true, order.KeyReused)
		})
		s.wantRelease(t, o, true, order.Released)
		s.wantUntouched(t, func() {
			s.wantReserve(t, other, reused)
			s.wantRelease(t, other, true, order.KeyReused)
		})
		s.wantBalance(t, "mug", 10)
	})
}

// Lua counts in floating point and prints large numbers as 1e+12.
func TestTheLargestNumbersAreExact(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.change(func(s *shelves) { s.units["mug"], s.units["plate"] = order.MaxUnits, order.MaxUnits-1 })
		for i := range 3 {
			s.wantReserve(t, newOrder(t, i, 0, order.Line{SKU: "mug", Quantity: order.MaxQuantity}, order.Line{SKU: "plate", Quantity: 1}), reserved)
		}
		s.wantCount(t, "mug", order.MaxUnits-3*order.MaxQuantity)
		s.wantCount(t, "plate", order.MaxUnits-4)
		s.wantRelease(t, newOrder(t, 0, 0, order.Line{SKU: "mug", Quantity: order.MaxQuantity}, order.Line{SKU: "plate", Quantity: 1}), false, order.Released)
		s.wantBalance(t, "mug", order.MaxUnits)
		s.wantBalance(t, "plate", order.MaxUnits-1)

		s.change(func(s *shelves) { s.units["spoon"] = order.MaxQuantity })
		all := newOrder(t, "all", 0, order.Line{SKU: "spoon", Quantity: order.MaxQuantity})
		s.wantReserve(t, all, reserved)
		s.wantCount(t, "spoon", 0)
	})
}

func TestEverySKUHasItsOwnCount(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		skus := []string{"a", "A", "a.b", "a-b", "a_b", "a.b-c_D.9", "0", strings.Repeat("x", 64), "r", "s", "l"}
		var lines []order.Line
		s.change(func(s *shelves) {
			for i, sku := range skus {
				s.units[sku] = int64(10 + i)
				lines = append(lines, order.Line{SKU: sku, Quantity: int64(i + 1)})
			}
		})
		o := newOrder(t, 1, 0, lines...)
		s.wantReserve(t, o, reserved)
		for i, sku := range skus {
			s.wantCount(t, sku, 9)
			s.wantBalance(t, sku, int64(10+i))
		}
		s.wantRelease(t, o, true, order.Released)
		for i, sku := range skus {
			s.wantCount(t, sku, int64(10+i))
		}
	})
}

func TestManyShoppersAtOnceReserveNoMoreThanThereIs(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		const shoppers, units = 64, 40
		s.change(func(s *shelves) { s.units["mug"] = units })
		var fronts [4]*stock.Front // as many programs
		for i := range fronts {
			fronts[i] = s.again(t)
		}
		var outcomes [shoppers]order.Outcome[order.Reservation]
		atOnce(shoppers, func(i int) {
			outcomes[i] = fronts[i%len(fronts)].Reserve(t.Context(), []order.Order{newOrder(t, i, 1)})[0]
		})
		held := 0
		for i, o := range outcomes {
			switch {
			case o.Failure != nil:
				t.Errorf("shopper %d: %v", i, o.Failure)
			case o.Answer.Verdict == order.Reserved:
				held++
			case o.Answer.Verdict != order.SoldOut:
				t.Errorf("shopper %d: %+v", i, o.Answer)
			}
		}
		if held != units {
			t.Errorf("%d units are reserved of %d", held, units)
		}
		s.wantCount(t, "mug", 0)
		s.wantBalance(t, "mug", units)
		s.wantLoads(t, "mug", 1)
	})
}

// In a cluster a script may touch only keys of one slot, and the lines of an order lie on several masters.
func TestAnOrderSpansTheMastersOfACluster(t *testing.T) {
	t.Parallel()
	cluster := testserver.RedisCluster(t)
	s := newShop(t, cluster.Addrs()...)
	var lines []order.Line
	s.change(func(s *shelves) {
		for i := range 20 {
			sku := fmt.Sprint("sku-", i)
			s.units[sku] = 5
			lines = append(lines, order.Line{SKU: sku, Quantity: 2})
		}
	})
	a, b, c := newOrder(t, "a", 0, lines...), newOrder(t, "b", 0, lines...), newOrder(t, "c", 0, lines[:1]...)
	wantReservations(t, s.Reserve(t.Context(), []order.Order{a, b, c, a}), reserved, reserved, soldOut("sku-0"), reserved)
	held := s.hold(a)
	s.align(t, held)
	s.wantReleasing(t, s.give(held), order.Released)
	for _, line := range lines {
		s.wantCount(t, line.SKU, 3)
	}
	s.forget(t, "sku-1", "sku-2")
	s.wantCount(t, "sku-1", notLoaded)
	for _, node := range cluster.Nodes {
		rdb := redis.NewClient(&redis.Options{Addr: node.Addr()})
		t.Cleanup(func() { _ = rdb.Close() })
		if keys := rdb.DBSize(t.Context()).Val(); keys < 5 {
			t.Errorf("the master %s holds %d keys: the order does not span the cluster", node.Addr(), keys)
		}
	}
}

// Orders whose SKUs lie on a master that died wait, or go on without Redis; the others' are served as soon as the
// cluster is whole again.
func TestAClusterThatLosesAMasterComesBack(t *testing.T) {
	t.Parallel()
	cluster := testserver.RedisCluster(t)
	s := newShop(t, cluster.Addrs()...)
	s.Front = s.open(t, &redis.UniversalOptions{Addrs: s.addrs})
	const skus = 12
	order12 := func(key string, units int64) order.Order {
		var lines []order.Line
		for i := range skus {
			lines = append(lines, order.Line{SKU: fmt.Sprint("sku-", i), Quantity: units})
		}
		return newOrder(t, key, 0, lines...)
	}
	s.change(func(s *shelves) {
		for i := range skus {
			s.units[fmt.Sprint("sku-", i)] = 5
		}
	})
	before := order12("before", 1)
	s.wantReserve(t, before, reserved)
	s.align(t, s.hold(before))
	cluster.Nodes[0].Kill()
	during := order12("during", 1)
	eventually(t, "the order goes on without Redis", func() bool {
		got := s.Reserve(t.Context(), []order.Order{during})[0]
		return got.Failure == nil && got.Answer.Verdict == order.Unreserved
	})
	s.align(t, s.hold(during))
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := order12("after", 3)
	eventually(t, "the order is reserved", func() bool {
		got := s.Reserve(t.Context(), []order.Order{after})[0]
		return got.Failure == nil && got.Answer.Verdict == order.Reserved
	})
	s.align(t, s.hold(after))
	for i := range skus {
		s.wantCount(t, fmt.Sprint("sku-", i), 0)
	}
}
