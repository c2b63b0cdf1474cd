//go:build unix

package stock_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/stock"
)

var unreserved = order.Reservation{Verdict: order.Unreserved}

// seeItGo repeats requests until the front has noticed that Redis is away.
func (s *shop) seeItGo(t *testing.T) {
	t.Helper()
	for try := range 3 {
		if got := s.Reserve(t.Context(), []order.Order{newOrder(t, "sees-it-go", 1)})[0]; got.Failure == nil {
			t.Fatalf("try %d: %+v", try, got.Answer)
		}
	}
	if !s.Degraded() {
		t.Fatal("three failures in a row, and the front is not degraded")
	}
}

func (s *shop) seeItReturn(t *testing.T) {
	t.Helper()
	eventually(t, "the front sees that Redis is back", func() bool { return s.Ping(t.Context()) == nil })
	if s.Degraded() {
		t.Error("Redis answers, and the front is degraded")
	}
}

func (s *shop) wantEpoch(t *testing.T, want int64) {
	t.Helper()
	if got, err := s.shelves.Epoch(t.Context()); err != nil || got != want {
		t.Errorf("the epoch is %d, %v, want %d", got, err, want)
	}
}

func restart(t *testing.T, server *testserver.Server) {
	t.Helper()
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Orders go on while Redis is away, at once, and what they do meanwhile needs nothing of it.
func TestOrdersGoOnWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t)
	s := newHastyShop(t, server.Addr())
	before, during := newOrder(t, "before", 3), newOrder(t, "during", 2)
	s.wantReserve(t, before, reserved)
	held := s.hold(before)
	s.align(t, held)
	server.Kill()
	s.seeItGo(t)
	started := time.Now()
	for i := range 100 {
		s.wantReserve(t, newOrder(t, i, 1), unreserved)
	}
	s.wantReserve(t, during, unreserved)
	s.align(t, s.hold(during))
	s.wantReleasing(t, s.give(held), order.Released)
	s.forget(t, "mug")
	if took := time.Since(started); took > 500*time.Millisecond {
		t.Errorf("100 orders without Redis took %s: they wait for it", took)
	}
	s.wantEpoch(t, 2)
	restart(t, server)
	s.seeItReturn(t)
	s.wantReserve(t, newOrder(t, "after", 8), reserved)
	s.wantReserve(t, newOrder(t, "too-many", 1), soldOut("mug"))
	s.wantEpoch(t, 3) // for what was sold after the second began
	s.wantLoads(t, "mug", 2)
}

// A Redis that keeps its state comes back with counts that know nothing of what was sold without it.
func TestNoCountFromBeforeIsTrustedWhenRedisReturns(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	s := newHastyShop(t, server.Addr())
	other := s.again(t) // which hears of nothing
	s.wantReserve(t, newOrder(t, "before", 1), reserved)
	wantReservations(t, other.Reserve(t.Context(), []order.Order{newOrder(t, "other", 1)}), reserved)
	server.Kill()
	s.seeItGo(t)
	during := newOrder(t, "during", 4)
	s.wantReserve(t, during, unreserved)
	s.align(t, s.hold(during))
	restart(t, server)
	s.seeItReturn(t)
	if units := s.rdb.HGet(t.Context(), "s:{mug}", "units").Val(); units != "8" {
		t.Fatalf("Redis came back with %q units: the test shows nothing", units)
	}
	s.wantCount(t, "mug", notLoaded)
	s.wantReserve(t, newOrder(t, "too-many", 7), soldOut("mug"))
	s.wantCount(t, "mug", 6)
	wantReservations(t, other.Reserve(t.Context(), []order.Order{newOrder(t, "learns", 6)}), reserved)
	s.wantReserve(t, newOrder(t, "one-more", 1), soldOut("mug"))
	s.wantCount(t, "mug", 0)
}

// A restart may be over before anybody asks, and what comes back may be from a while ago.
func TestARestartThatNobodyFeltIsNoticed(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	s := newHastyShop(t, server.Addr())
	s.wantReserve(t, newOrder(t, "before", 1), reserved)
	server.Kill()
	restart(t, server)
	if err := s.Ping(t.Context()); err != nil { // the client dials
		t.Fatal(err)
	}
	s.wantReserve(t, newOrder(t, "after", 1), reserved)
	s.wantEpoch(t, 2)
	s.wantLoads(t, "mug", 2)
	if s.Degraded() {
		t.Error("degraded, though no call failed")
	}
}

// However many programs see the same restart, the counts are loaded once.
func TestOneRestartEndsOneEpoch(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t)
	s := newHastyShop(t, server.Addr())
	fronts := []*stock.Front{s.Front, s.again(t), s.again(t), s.again(t)}
	ask := func(key string) {
		t.Helper()
		for i, f := range fronts {
			wantReservations(t, f.Reserve(t.Context(), []order.Order{newOrder(t, key+string(rune('a'+i)), 1)}), reserved)
		}
	}
	ask("before")
	server.Kill()
	restart(t, server)
	ask("after") // one after the other meets the restarted server, and the counts of those before
	ask("later")
	s.wantEpoch(t, 2)
	s.wantLoads(t, "mug", 2)
}

func TestARedisThatHangsCostsAMomentOnce(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t)
	s := newHastyShop(t, server.Addr())
	s.wantReserve(t, newOrder(t, "warm", 1), reserved)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	late := newOrder(t, "sees-it-go", 1) // three tries of which are in the socket now
	s.seeItGo(t)
	started := time.Now()
	for i := range 100 {
		s.wantReserve(t, newOrder(t, i, 1), unreserved)
	}
	if took := time.Since(started); took > 700*time.Millisecond { // one of them may have looked whether it is back
		t.Errorf("100 orders took %s", took)
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	s.seeItReturn(t)
	// What was in the socket is carried out now, on a count that nobody trusts any more.
	eventually(t, "the late try is carried out", func() bool { return len(s.reservations(t, "mug")) == 2 })
	s.wantReserve(t, newOrder(t, "all", 10), reserved)
	s.wantReserve(t, late, reserved)
	s.wantCount(t, "mug", 0)
}

// Nothing may go on that nobody writes down: without the order database an order waits.
func TestWithoutRedisAndDatabaseOrdersWait(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t)
	s := newHastyShop(t, server.Addr())
	s.wantReserve(t, newOrder(t, "before", 1), reserved)
	server.Kill()
	s.seeItGo(t)
	s.change(func(s *shelves) { s.fail = order.Failf(order.Transient, "the database is down") })
	o := newOrder(t, "during", 1)
	if got := s.Reserve(t.Context(), []order.Order{o})[0]; got.Failure == nil || got.Failure.Class != order.Transient {
		t.Errorf("answered %+v", got)
	}
	s.change(func(s *shelves) { s.fail = nil })
	s.wantReserve(t, o, unreserved)
}

// A Redis that answers and takes no writes is no use: orders go on without it, also those that first have to load
// their SKU, which begins with an answer.
func TestARedisThatTakesNoWritesIsAwayAsWell(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ refuse, accept []any }{
		"full": {[]any{"CONFIG", "SET", "maxmemory", "1"}, []any{"CONFIG", "SET", "maxmemory", "0"}},
		// A replica of a server that is not there.
		"a replica": {[]any{"REPLICAOF", "127.0.0.1", "1"}, []any{"REPLICAOF", "NO", "ONE"}},
		"not ours":  {[]any{"ACL", "SETUSER", "default", "-evalsha", "-eval"}, []any{"ACL", "SETUSER", "default", "+@all"}},
		"not all":   {[]any{"ACL", "SETUSER", "default", "-hincrby", "-set"}, []any{"ACL", "SETUSER", "default", "+@all"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testserver.Redis(t, "--maxmemory-policy", "noeviction")
			s := newHastyShop(t, server.Addr())
			s.wantReserve(t, newOrder(t, "hot", 1), reserved)
			do := func(command []any) {
				t.Helper()
				if err := s.rdb.Do(t.Context(), command...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			plate := func(key string) order.Order {
				return newOrder(t, key, 0, order.Line{SKU: "plate", Quantity: 1})
			}
			do(c.refuse)
			wentOn := 0
			for i := range 50 { // a hot SKU and a cold one in turn
				for _, o := range []order.Order{newOrder(t, i, 1), plate(fmt.Sprint("plate-", i))} {
					if got := s.Reserve(t.Context(), []order.Order{o})[0]; got.Failure == nil && got.Answer.Verdict == order.Unreserved {
						wentOn++
					}
				}
			}
			if wentOn < 90 || !s.Degraded() {
				t.Errorf("%d of 100 orders went on, degraded is %v", wentOn, s.Degraded())
			}
			do(c.accept)
			s.seeItReturn(t)
			s.wantReserve(t, plate("after"), reserved)
			s.wantReserve(t, newOrder(t, "after", 10), reserved)
		})
	}
}

func TestAMemoryPolicyThatCostsSpeedIsNamed(t *testing.T) {
	t.Parallel()
	for policy, warns := range map[string]bool{
		"noeviction": true, "allkeys-random": true, "volatile-random": true, "volatile-ttl": true,
		"allkeys-lru": false, "allkeys-lfu": false, "volatile-lru": false, "volatile-lfu": false,
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, testserver.Redis(t, "--maxmemory-policy", policy).Addr())
			for memory, bounded := range map[string]bool{"0": false, "100mb": true} {
				if err := s.rdb.ConfigSet(t.Context(), "maxmemory", memory).Err(); err != nil {
					t.Fatal(err)
				}
				warning, err := s.MemoryPolicyWarning(t.Context())
				if err != nil || (warning != "") != (warns && bounded) {
					t.Errorf("maxmemory %s: %q, %v", memory, warning, err)
				}
			}
		})
	}
}

func TestTheMetricSaysDegraded(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t)
	registry := prometheus.NewRegistry()
	s := newShop(t, server.Addr())
	cfg := ttl
	cfg.Registerer = registry
	s.Front = stock.New(&redis.UniversalOptions{Addrs: []string{server.Addr()}}, s.shelves, cfg)
	t.Cleanup(func() { _ = s.Front.Close() })
	value := func(name string) (v float64, shown bool) {
		t.Helper()
		for _, family := range must(registry.Gather())(t) {
			if m := family.GetMetric()[0]; family.GetName() == name {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue(), true
			}
		}
		return 0, false
	}
	wantDegraded := func(want float64) {
		t.Helper()
		if got, _ := value("holdfast_stock_degraded"); got != want {
			t.Errorf("holdfast_stock_degraded is not %v", want)
		}
		if _, shown := value("holdfast_redis_evicted_keys_total"); shown != (want == 0) {
			t.Errorf("evictions are shown: %v, although degraded is %v", shown, want)
		}
	}
	s.wantReserve(t, newOrder(t, "before", 1), reserved)
	wantDegraded(0)
	if away, _ := value("holdfast_stock_degraded_seconds_total"); away != 0 {
		t.Errorf("away for %v s before it was", away)
	}
	server.Kill()
	s.seeItGo(t)
	wantDegraded(1)
	during, _ := value("holdfast_stock_degraded_seconds_total")
	restart(t, server)
	s.seeItReturn(t)
	wantDegraded(0)
	after, _ := value("holdfast_stock_degraded_seconds_total")
	if still, _ := value("holdfast_stock_degraded_seconds_total"); during <= 0 || after <= during || still != after {
		t.Errorf("away for %v s while it was, then %v and %v", during, after, still)
	}
}

// A program that is cut off from Redis ends the epoch in the order database alone, and the others hear of that although
// nobody shows them a count of the new one.
func TestAnEpochThatEndsElsewhereIsHeardOf(t *testing.T) {
	t.Parallel()
	s := newHastyShop(t, testserver.Redis(t).Addr())
	s.wantReserve(t, newOrder(t, "all", 10), reserved)
	s.change(func(s *shelves) { s.units["mug"] = 5; s.epoch++ }) // a receipt, and its Forget could not reach Redis
	tries := 0
	eventually(t, "the receipt is for sale", func() bool {
		tries++
		got := s.Reserve(t.Context(), []order.Order{newOrder(t, tries, 1)})[0]
		return got.Failure == nil && got.Answer.Verdict == order.Reserved
	})
}

// A database that was restored knows only an earlier epoch than Redis does. It has the last word.
func TestADatabaseOlderThanRedisHasTheLastWord(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.change(func(s *shelves) { s.epoch = 5 })
		s.wantReserve(t, newOrder(t, "before", 1), reserved)
		held := newOrder(t, "held", 2)
		s.wantReserve(t, held, reserved)
		s.change(func(s *shelves) { s.epoch = 2 })
		h := s.hold(held)
		restored := s.again(t)
		if err := restored.Align(t.Context(), []order.Held{h}); err != nil {
			t.Error(err)
		}
		wantReservations(t, restored.Reserve(t.Context(), []order.Order{newOrder(t, "after", 8)}), reserved)
		wantReservations(t, restored.Reserve(t.Context(), []order.Order{newOrder(t, "more", 1)}), soldOut("mug"))
		s.wantLoads(t, "mug", 2)
	})
}
