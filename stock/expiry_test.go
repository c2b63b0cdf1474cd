//go:build unix

package stock_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/stock"
)

// What is never deleted fills Redis until it refuses to work.
func TestEveryKeyExpires(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		a, b, c := newOrder(t, "a", 1), newOrder(t, "b", 2), newOrder(t, "c", 3)
		s.wantReserve(t, a, reserved)
		s.wantReserve(t, b, reserved)
		s.wantReserve(t, b, reserved)
		s.wantRelease(t, a, true, order.Released)
		s.wantRelease(t, c, false, order.Released)
		s.wantReserve(t, newOrder(t, "d", 0, order.Line{SKU: "plate", Quantity: 9}), soldOut("plate"))
		s.wantReserve(t, newOrder(t, "e", 0, order.Line{SKU: "spoon", Quantity: 1}), order.Reservation{Verdict: order.UnknownSKU, SKUs: []string{"spoon"}})
		for key := range s.everything(t) {
			limit := map[string]time.Duration{"s": ttl.IdleTTL, "r": ttl.ReservationTTL}[key[:1]]
			if left := s.rdb.PTTL(t.Context(), key).Val(); left <= 0 || left > limit || left < limit-time.Minute {
				t.Errorf("%s expires after %s, want %s", key, left, limit)
			}
		}
		if n := len(s.everything(t)); n != 5 {
			t.Errorf("Redis holds %v", s.everything(t))
		}
	})
}

func TestAReservePutsOffTheExpiryOfTheCount(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, 1, 1), reserved)
		for key := range s.everything(t) {
			if err := s.rdb.PExpire(t.Context(), key, time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
		}
		o := newOrder(t, 2, 1)
		s.wantReserve(t, o, reserved)
		if left := s.rdb.PTTL(t.Context(), "s:{mug}").Val(); left <= time.Minute {
			t.Errorf("the count expires after %s", left)
		}
	})
}

// A stock key expired while orders were still in flight, and is reloaded: their units are in the count
// or not, and either way none is lost.
func TestACountExpiresWhileOrdersAreInFlight(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		opened, undecided := newOrder(t, "opened", 3), newOrder(t, "undecided", 2)
		s.wantReserve(t, opened, reserved)
		s.wantReserve(t, undecided, reserved)
		held := s.hold(opened) // the database knows of this one only
		s.align(t, held)
		s.expire(t, "s:{mug}")
		s.wantReserve(t, newOrder(t, "next", 1), reserved)
		s.wantCount(t, "mug", 6)
		s.wantReserve(t, opened, reserved)
		s.wantReserve(t, undecided, reserved)
		s.align(t, s.hold(undecided))
		s.wantCount(t, "mug", 4)
		s.wantReleasing(t, s.give(held), order.Released)
		s.wantCount(t, "mug", 7)
		s.wantLoads(t, "mug", 2)
	})
}

func TestAReservationExpires(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 3)
		s.wantReserve(t, o, reserved)
		s.expire(t, "r:{mug}"+o.ID.Digest())
		// It is taken for a new one, until whoever finds the row there already aligns the count.
		held := s.hold(o)
		s.wantReserve(t, o, reserved)
		s.wantCount(t, "mug", 4)
		s.align(t, old(held))
		s.wantReserve(t, newOrder(t, "the-rest", 7), reserved)
		s.wantCount(t, "mug", 0)
		s.expire(t, "r:{mug}"+o.ID.Digest())
		s.wantRelease(t, o, true, order.Released)
		s.wantCount(t, "mug", notLoaded)
	})
}

// expire lets a key expire: on miniredis by its clock, on a server by hand.
func (s *shop) expire(t *testing.T, key string) {
	t.Helper()
	if s.rdb.Exists(t.Context(), key).Val() != 1 {
		t.Fatalf("there is no %s", key)
	}
	if s.mini == nil {
		s.rdb.PExpire(t.Context(), key, time.Millisecond)
		eventually(t, key+" expires", func() bool { return s.rdb.Exists(t.Context(), key).Val() == 0 })
		return
	}
	left := s.mini.TTL(key)
	for other := range s.everything(t) { // which must not go with it
		if other != key {
			s.mini.SetTTL(other, s.mini.TTL(other)+left)
		}
	}
	s.mini.FastForward(left)
	if s.mini.Exists(key) {
		t.Fatalf("%s outlives its time", key)
	}
}

// used is the memory of Redis in bytes: hash tables and expiry included, buffers of clients not.
func (s *shop) used(t *testing.T) int64 {
	t.Helper()
	var all, clients int64
	for line := range strings.Lines(s.rdb.Info(t.Context(), "memory").Val()) {
		_, _ = fmt.Sscanf(line, "used_memory:%d", &all)
		_, _ = fmt.Sscanf(line, "mem_clients_normal:%d", &clients)
	}
	return all - clients
}

func TestAnOrderLeavesLittleBehind(t *testing.T) {
	t.Parallel()
	s := newShop(t, testserver.Redis(t).Addr())
	const orders = 2000
	s.change(func(s *shelves) { s.units["mug"] = orders })
	s.wantReserve(t, newOrder(t, "warm", 1), reserved)
	before := s.used(t)
	wantEach := func(what string) {
		t.Helper()
		each := (s.used(t) - before) / (orders - 1)
		t.Logf("%s order of one line takes %d bytes", what, each)
		if each > 200 {
			t.Errorf("%s order of one line takes %d bytes in Redis, want at most 200", what, each)
		}
	}
	var batch []order.Order
	for i := range orders - 1 {
		batch = append(batch, newOrder(t, i, 1))
	}
	for _, o := range s.Reserve(t.Context(), batch) {
		if o.Failure != nil || o.Answer.Verdict != order.Reserved {
			t.Fatalf("%+v", o)
		}
	}
	wantEach("an open or confirmed")
	for _, o := range batch {
		s.wantRelease(t, o, true, order.Released)
	}
	wantEach("a released")
}

// Hundreds of thousands of SKUs that nobody buys any more leave the memory as they found it.
func TestColdSKUsFallBackOutOfMemory(t *testing.T) {
	t.Parallel()
	const skus = 100_000
	s := newShop(t, testserver.Redis(t).Addr())
	s.wantReserve(t, newOrder(t, "warm", 1), reserved)
	before := s.used(t)
	cfg := ttl
	cfg.IdleTTL = 5 * time.Second
	front := stock.New(&redis.UniversalOptions{Addrs: s.addrs, ReadTimeout: time.Minute}, s.shelves, cfg)
	t.Cleanup(func() { _ = front.Close() })
	var full, keys int64 // at most: on a slow machine the first have expired when the last are loaded
	for from := 0; from < skus; from += 10 * order.MaxLines {
		var batch []order.Order
		s.change(func(s *shelves) {
			for i := range 10 {
				var lines []order.Line
				for j := range order.MaxLines {
					sku := fmt.Sprint("cold-", from+i*order.MaxLines+j)
					s.units[sku] = 5
					lines = append(lines, order.Line{SKU: sku, Quantity: 6}) // sold out: a count alone is left
				}
				batch = append(batch, newOrder(t, from+i, 0, lines...))
			}
		})
		for _, o := range front.Reserve(t.Context(), batch) {
			if o.Failure != nil || o.Answer.Verdict != order.SoldOut {
				t.Fatalf("%+v", o)
			}
		}
		if used := s.used(t); used > full {
			full, keys = used, s.rdb.DBSize(t.Context()).Val()
		}
	}
	eventually(t, "the cold counts expire", func() bool { return s.rdb.DBSize(t.Context()).Val() == 2 })
	after := s.used(t)
	t.Logf("%d bytes before, %d with %d keys, %d after", before, full, keys, after)
	if keys < skus/100 || full-before < 50*keys || after-before > (full-before)/10 {
		t.Errorf("%d bytes before, %d at most, and still %d after", before, full, after)
	}
	s.wantCount(t, "mug", 9) // the hot one stayed
}

// Many cold SKUs fill Redis while the hot one stays hot.
func TestManyColdSKUsFillRedisWhileTheHotOneStaysHot(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t, "--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru")
	s := newShop(t, server.Addr())
	const rounds, cold = 200, 100
	s.change(func(s *shelves) { s.units["mug"] = rounds })
	evicted := func() (n int) {
		for line := range strings.Lines(s.rdb.Info(t.Context(), "stats").Val()) {
			_, _ = fmt.Sscanf(line, "evicted_keys:%d", &n)
		}
		return n
	}
	for round := range rounds {
		batch := []order.Order{newOrder(t, fmt.Sprint("hot-", round), 1)}
		s.change(func(s *shelves) {
			for i := range cold {
				sku := fmt.Sprint("cold-", round, "-", i)
				s.units[sku] = 1
				batch = append(batch, newOrder(t, sku, 0, order.Line{SKU: sku, Quantity: 1}))
			}
		})
		for i, o := range s.Reserve(t.Context(), batch) {
			if o.Failure != nil || o.Answer.Verdict != order.Reserved {
				t.Fatalf("round %d, order %d: %+v", round, i, o)
			}
		}
		if round == rounds/4 {
			// Redis tells ages apart by the second: what is there so far is to be old.
			eventually(t, "the first keys are old", func() bool {
				return s.rdb.ObjectIdleTime(t.Context(), "s:{cold-0-0}").Val() >= time.Second
			})
		}
		if evicted() > 500 {
			s.wantLoads(t, "mug", 1)
			s.wantCount(t, "mug", int64(rounds-round-1))
			return
		}
	}
	t.Fatalf("only %d keys were evicted: the test shows nothing", evicted())
}
