//go:build unix

package stock_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"holdfast/internal/testserver"
	"holdfast/order"
)

// A "no" that rests on what a restarted server came back with would be final.
func TestTheFirstOrderAfterARestartIsAnsweredFromAFreshCount(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	s := newHastyShop(t, server.Addr())
	s.wantReserve(t, newOrder(t, "all", 10), reserved)
	server.Kill()
	restart(t, server)
	s.change(func(s *shelves) { s.units["mug"] = 20 })
	s.wantReserve(t, newOrder(t, "after", 1), reserved)
	s.wantCount(t, "mug", 19)
}

// A program that has not heard yet that the epoch is over aligns its order on the old count while another loads a new
// one, whose row was read before.
func TestAnOrderAlignedInAnOldEpochIsInNoNewCount(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, "between", 3)
		s.wantReserve(t, o, reserved)
		s.change(func(s *shelves) { s.epoch++ })
		other := s.again(t)
		reading, goOn := s.slowly()
		done := make(chan []order.Outcome[order.Reservation])
		go func() { done <- other.Reserve(t.Context(), []order.Order{newOrder(t, "next", 1)}) }()
		<-reading
		s.align(t, s.hold(o))
		goOn()
		wantReservations(t, <-done, reserved)
		counts, err := other.Counts(t.Context(), []string{"mug"})
		if err != nil || counts["mug"] != 6 {
			t.Errorf("the count is %v, %v, want 6", counts, err)
		}
	})
}

// What was read in one epoch is not written in the next: it does not know what ended the first.
func TestACountIsOfTheEpochInWhichItsRowWasRead(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, "warm", 0, order.Line{SKU: "plate", Quantity: 1}), reserved)
		reading, goOn := s.slowly()
		done := make(chan []order.Outcome[order.Reservation])
		go func() { done <- s.Reserve(t.Context(), []order.Order{newOrder(t, "slow", 1)}) }()
		<-reading
		s.change(func(s *shelves) { s.epoch++; s.units["mug"] -= 4 }) // by a program that is cut off from Redis
		other := s.again(t)
		wantReservations(t, other.Reserve(t.Context(), []order.Order{newOrder(t, "new", 0, order.Line{SKU: "plate", Quantity: 1})}), reserved)
		eventually(t, "the loading program hears of the epoch", func() bool {
			counts, err := s.Counts(t.Context(), []string{"plate"})
			return err == nil && len(counts) == 1
		})
		goOn()
		wantReservations(t, <-done, reserved)
		s.wantCount(t, "mug", 5)
	})
}

// A part of a Cluster that hangs must be noticed within the tries of the first order that needs it.
func TestAClusterOfWhichAPartHangsIsNoticedByTheFirstOrder(t *testing.T) {
	t.Parallel()
	cluster := testserver.RedisCluster(t)
	s := newShop(t, cluster.Addrs()...)
	s.Front = s.open(t, &redis.UniversalOptions{Addrs: s.addrs})
	const skus = 12
	buy := func(key string, i int) order.Order {
		return newOrder(t, key, 0, order.Line{SKU: fmt.Sprint("sku-", i), Quantity: 1})
	}
	node := redis.NewClient(&redis.Options{Addr: cluster.Nodes[0].Addr()})
	t.Cleanup(func() { _ = node.Close() })
	hung := -1
	for i := range skus {
		s.change(func(s *shelves) { s.units[fmt.Sprint("sku-", i)] = 5 })
		s.wantReserve(t, buy(fmt.Sprint("warm-", i), i), reserved)
		if node.Exists(t.Context(), fmt.Sprintf("s:{sku-%d}", i)).Val() == 1 {
			hung = i
		}
	}
	if hung < 0 {
		t.Fatal("no SKU lies on the first master")
	}
	if err := cluster.Nodes[0].Pause(); err != nil {
		t.Fatal(err)
	}
	step, cancel := context.WithTimeout(t.Context(), 4*time.Second) // twice what a step has, for a busy machine
	defer cancel()
	var last order.Outcome[order.Reservation]
	for range 4 {
		if last = s.Reserve(step, []order.Order{buy("needs-it", hung)})[0]; last.Failure == nil {
			break
		}
	}
	if last.Failure != nil || last.Answer.Verdict != order.Unreserved {
		t.Errorf("answered %+v", last)
	}
	if err := cluster.Nodes[0].Resume(); err != nil {
		t.Fatal(err)
	}
}
