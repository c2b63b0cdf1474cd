//go:build unix

package stock_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"holdfast/internal/testserver"
	"holdfast/order"
)

// F1: reservation evicted/expired, count not; the order is carried again.
func TestZZEvictedReservationThenRepeat(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 3)
		s.wantReserve(t, o, reserved)
		h := s.hold(o)
		s.align(t, h)
		s.wantCount(t, "mug", 7)
		for range 2 {
			s.expire(t, "r:{mug}"+o.ID.Digest())
			s.wantReserve(t, o, reserved) // a repeat or re-drive starts at the top
			s.align(t, h)                 // Open found the row
		}
		s.wantCount(t, "mug", 7)
	})
}

// F1b: same and closed
func TestZZEvictedReservationThenRepeatAndClose(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 3)
		s.wantReserve(t, o, reserved)
		h := s.hold(o)
		s.align(t, h)
		s.expire(t, "r:{mug}"+o.ID.Digest())
		s.wantReserve(t, o, reserved)
		s.align(t, h)
		s.wantReleasing(t, s.give(h), order.Released)
		s.wantCount(t, "mug", 10)
	})
}

// F2: Commit's answer for a row that another closed has no Holds.
func TestZZReleaseWithoutHoldsAfterReload(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		o := newOrder(t, 1, 3)
		s.wantReserve(t, o, reserved)
		h := s.hold(o)
		s.align(t, h)
		s.forget(t, "mug")                                            // a receipt
		s.wantReserve(t, newOrder(t, "loads", 11), soldOut("mug"))    // loaded while held
		r := s.give(h)                                                // W2 closes the row
		s.wantReleasing(t, order.Releasing{Order: o, Taken: true}, order.Released) // W1: Commit said CLOSED, no Holds
		s.wantReleasing(t, r, order.Released)                         // W2 releases with its Holds
		s.wantCount(t, "mug", 10)
	})
}

// F3: epoch of database behind Redis's.
func TestZZDatabaseRestored(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.change(func(s *shelves) { s.epoch = 5 })
		s.wantReserve(t, newOrder(t, 1, 1), reserved)
		s.change(func(s *shelves) { s.epoch = 2 })
		f := s.again(t)
		for i := range 5 {
			got := f.Reserve(t.Context(), []order.Order{newOrder(t, fmt.Sprint("x", i), 1)})
			t.Logf("reserve %+v %v degraded=%v", got[0].Answer, got[0].Failure, f.Degraded())
		}
		o := newOrder(t, 1, 1)
		t.Logf("release %+v", f.Release(t.Context(), []order.Releasing{{Order: o, Taken: true}}))
		t.Logf("align %+v", f.Align(t.Context(), []order.Held{{Order: o, Holds: []order.Hold{{SKU: "mug", From: 1}}}}))
		t.Log(s.everything(t))
	})
}

// proxy in front of a server, can be cut.
type proxy struct {
	l     net.Listener
	to    string
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newProxy(t *testing.T, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, to: to}
	t.Cleanup(func() { l.Close(); p.set(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			if p.cut {
				c.Close()
				p.mu.Unlock()
				continue
			}
			u, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				p.mu.Unlock()
				continue
			}
			p.conns = append(p.conns, c, u)
			p.mu.Unlock()
			go io.Copy(u, c)
			go io.Copy(c, u)
		}
	}()
	return p
}

func (p *proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for _, c := range p.conns {
			c.Close()
		}
		p.conns = nil
	}
}

// F4: an api cut off from Redis takes a receipt; the worker is fine.
func TestZZReceiptWhileTheAPIIsCutOff(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t)
	worker := newHastyShop(t, server.Addr())
	p := newProxy(t, server.Addr())
	api := worker.open(t, &redis.UniversalOptions{Addrs: []string{p.l.Addr().String()}})
	worker.wantReserve(t, newOrder(t, 1, 10), reserved)
	worker.align(t, worker.hold(newOrder(t, 1, 10)))
	if err := api.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.set(true)
	worker.change(func(s *shelves) { s.units["mug"] += 5 })
	var err error
	for range 4 {
		if err = api.Forget(t.Context(), []string{"mug"}); err == nil {
			break
		}
	}
	t.Log("forget:", err, "degraded", api.Degraded())
	worker.wantReserve(t, newOrder(t, 2, 1), reserved)
	p.set(false)
	time.Sleep(1500 * time.Millisecond)
	eventually(t, "api is back", func() bool { return api.Ping(t.Context()) == nil })
	worker.wantEpoch(t, 3)
	time.Sleep(2 * time.Second)
	worker.wantReserve(t, newOrder(t, 3, 1), reserved)
}

// F5: a sold-out line of a two-line order.
func TestZZSoldOutLineDeletesCounts(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.change(func(s *shelves) { s.units["mug"], s.units["plate"] = 1000, 0 })
		for i := range 20 {
			o := newOrder(t, i, 0, order.Line{SKU: "mug", Quantity: 1}, order.Line{SKU: "plate", Quantity: 1})
			s.wantReserve(t, o, order.Reservation{Verdict: order.SoldOut, SKUs: []string{"plate"}, Holds: true})
			// Open writes REJECTED; undo.settle releases
			s.wantReleasing(t, order.Releasing{Order: o, Taken: true}, order.Released)
		}
		s.wantLoads(t, "plate", 1)
		s.wantLoads(t, "mug", 1)
	})
}

// F6: a deadline of the caller's counts as Redis's failure.
func TestZZExpiredDeadlinesOpenTheBreaker(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, 1, 1), reserved)
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		for range 3 {
			_ = s.Align(ctx, []order.Held{{Order: newOrder(t, 1, 1), Holds: []order.Hold{{SKU: "mug", From: 2}}}})
		}
		if s.Degraded() {
			t.Error("degraded though Redis is well and was never asked")
		}
		s.wantEpoch(t, 1)
		s.wantReserve(t, newOrder(t, 2, 1), reserved)
	})
}

// F7: OOM flaps
func TestZZFullRedisFlaps(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t, "--maxmemory-policy", "noeviction")
	s := newHastyShop(t, server.Addr())
	s.wantReserve(t, newOrder(t, "before", 1), reserved)
	s.rdb.ConfigSet(t.Context(), "maxmemory", "1")
	var failed, un int
	end := time.Now().Add(6 * time.Second)
	for i := 0; time.Now().Before(end); i++ {
		got := s.Reserve(t.Context(), []order.Order{newOrder(t, i, 1)})[0]
		if got.Failure != nil {
			failed++
		} else if got.Answer.Verdict == order.Unreserved {
			un++
		}
		time.Sleep(5 * time.Millisecond)
	}
	e, _ := s.Epoch(t.Context())
	t.Logf("in 6 s: failed %d, unreserved %d, epochs %d", failed, un, e-1)
}

// F8: errors that are not in the list.
func TestZZMaxClients(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t)
	admin := redis.NewClient(&redis.Options{Addr: server.Addr(), PoolSize: 1})
	defer admin.Close()
	if err := admin.ConfigSet(t.Context(), "maxclients", "1").Err(); err != nil {
		t.Fatal(err)
	}
	s := newHastyShop(t, server.Addr())
	for i := range 6 {
		got := s.Reserve(t.Context(), []order.Order{newOrder(t, i, 1)})[0]
		t.Logf("%+v %v degraded=%v", got.Answer, got.Failure, s.Degraded())
	}
}

func TestZZNoPerm(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t)
	admin := redis.NewClient(&redis.Options{Addr: server.Addr(), PoolSize: 1})
	defer admin.Close()
	if err := admin.Do(t.Context(), "ACL", "SETUSER", "shop", "on", "nopass", "~*", "+@all", "-@scripting", "-info").Err(); err != nil {
		t.Fatal(err)
	}
	sh := newShop(t, server.Addr())
	f := sh.open(t, &redis.UniversalOptions{Addrs: []string{server.Addr()}, Username: "shop", Password: "x"})
	for i := range 6 {
		got := f.Reserve(t.Context(), []order.Order{newOrder(t, i, 1)})[0]
		t.Logf("%+v %v degraded=%v ping=%v", got.Answer, got.Failure, f.Degraded(), f.Ping(t.Context()))
	}
}

// F9: one restart and many programs that do not ping first.
func TestZZOneRestartManyPrograms(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t)
	s := newHastyShop(t, server.Addr())
	fronts := []interface {
		Reserve(context.Context, []order.Order) []order.Outcome[order.Reservation]
	}{s.Front, s.again(t), s.again(t), s.again(t), s.again(t)}
	s.change(func(s *shelves) { s.units["mug"] = 1000 })
	ask := func(key string) {
		for i, f := range fronts {
			got := f.Reserve(t.Context(), []order.Order{newOrder(t, key+string(rune('a'+i)), 1)})
			if got[0].Failure != nil {
				t.Log(key, i, got[0].Failure)
			}
		}
	}
	ask("before")
	server.Kill()
	restart(t, server)
	ask("after")
	ask("after2")
	ask("after3")
	s.wantEpoch(t, 2)
	s.wantLoads(t, "mug", 2)
}

// F10: a bad key of one SKU and a cold neighbour in one batch.
func TestZZABadNeighbour(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.rdb.Set(t.Context(), "s:{mug}", "what is this", time.Minute)
		s.rdb.Set(t.Context(), "l:{mug}", "", time.Minute)
		s.rdb.Del(t.Context(), "s:{mug}", "l:{mug}")
		s.rdb.HSet(t.Context(), "l:{mug}", "a", "b") // loader key of another kind
		for range 3 {
			got := s.Reserve(t.Context(), []order.Order{newOrder(t, 1, 1), newOrder(t, 2, 0, order.Line{SKU: "plate", Quantity: 1})})
			t.Logf("mug %v; plate %v", got[0].Failure, got[1].Failure)
		}
		s.rdb.Set(t.Context(), "s:{mug}", "what is this", time.Minute)
		_, err := s.Counts(t.Context(), []string{"mug", "plate"})
		t.Log("counts:", err)
	})
}

// F11: program restart with Redis, everything at once: the older state is trusted.
func TestZZEverythingRestarts(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t, "--save", "")
	s := newHastyShop(t, server.Addr())
	o := newOrder(t, "o", 3)
	s.wantReserve(t, o, reserved)
	h := s.hold(o)
	s.align(t, h)
	if err := s.rdb.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.wantReleasing(t, s.give(h), order.Released)
	s.wantCount(t, "mug", 10)
	s.Front.Close()
	server.Kill()
	restart(t, server)
	s.Front = s.again(t)
	counts, err := s.Front.Counts(t.Context(), []string{"mug"})
	t.Log(counts, err)
	s.wantReserve(t, newOrder(t, "all", 10), reserved)
}
