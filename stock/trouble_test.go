//go:build unix

package stock_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"holdfast/internal/testserver"
	"holdfast/order"
)

// wantFailures checks that each kind of call, made by a program that thinks well of Redis, fails with the
// class, and soon.
func wantFailures(t *testing.T, ctx context.Context, program func() *shop, class order.Class, within time.Duration) {
	t.Helper()
	o := newOrder(t, "failing", 0, order.Line{SKU: "mug", Quantity: 1}, order.Line{SKU: "plate", Quantity: 1})
	calls := map[string]func(*shop) error{
		"reserve": func(s *shop) error { return errorOf(s.Reserve(ctx, []order.Order{o})[0].Failure) },
		"release": func(s *shop) error {
			return errorOf(s.Release(ctx, []order.Releasing{{Order: o, Taken: true}})[0].Failure)
		},
		"align":  func(s *shop) error { return s.Align(ctx, []order.Held{{Order: o}}) },
		"forget": func(s *shop) error { return s.Forget(ctx, []string{"mug"}) },
		"counts": func(s *shop) error { _, err := s.Counts(ctx, []string{"mug"}); return err },
	}
	var all sync.WaitGroup
	for name, call := range calls {
		s := program()
		all.Go(func() {
			started := time.Now()
			err := call(s)
			if took := time.Since(started); took > within {
				t.Errorf("%s failed after %s, want within %s", name, took, within)
			}
			if failure, ok := errors.AsType[*order.Failure](err); !ok || failure.Class != class {
				t.Errorf("%s: %v is not %s", name, err, class)
			}
			if s.Ping(ctx) == nil {
				t.Error("ping succeeded")
			}
		})
	}
	all.Wait()
}

// hasty gives a new program for each call: one that has seen three fail asks no more.
func hasty(t *testing.T, addr string) func() *shop {
	t.Helper()
	return func() *shop { return newHastyShop(t, addr) }
}

func errorOf(f *order.Failure) error {
	if f == nil {
		return nil
	}
	return f
}

func TestARedisThatIsDownIsTransientAtOnce(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil { // nothing listens there now
		t.Fatal(err)
	}
	wantFailures(t, t.Context(), hasty(t, addr), order.Transient, 400*time.Millisecond)
}

func TestARedisThatHangsIsUnknownWithinTheClientsPatience(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // until then it takes connections and never answers
	// Half a second for a connection, in each of the client's two pools.
	wantFailures(t, t.Context(), hasty(t, l.Addr().String()), order.Unknown, 1500*time.Millisecond)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wantFailures(t, ctx, hasty(t, l.Addr().String()), order.Unknown, 400*time.Millisecond)
}

func TestACancelledContextIsUnknownAndTouchesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, 1, 1), reserved)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.wantUntouched(t, func() { wantFailures(t, ctx, func() *shop { return s }, order.Unknown, time.Second) })
	})
}

func TestARedisThatIsFrozenIsUnknownUntilItThaws(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t)
	s := newHastyShop(t, server.Addr())
	o := newOrder(t, 1, 3)
	s.wantReserve(t, newOrder(t, "warm", 1), reserved)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	if got := s.Reserve(t.Context(), []order.Order{o})[0]; got.Failure == nil || got.Failure.Class != order.Unknown {
		t.Errorf("answered %+v", got)
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	// The request was in the socket all the while, and is carried out now.
	eventually(t, "the reservation is there", func() bool { return len(s.reservations(t, "mug")) == 2 })
	s.wantReserve(t, o, reserved)
	s.wantBalance(t, "mug", 10)
}

func TestAServerThatForgotTheScripts(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		a, b := newOrder(t, "a", 1), newOrder(t, "b", 2)
		for i, step := range []func(){
			func() { s.wantReserve(t, a, reserved) },
			func() { s.wantReserve(t, b, reserved) },
			func() { s.wantReserve(t, a, reserved) },
			func() { s.wantRelease(t, a, true, order.Released) },
			func() { s.wantReserve(t, newOrder(t, "c", 0, order.Line{SKU: "plate", Quantity: 1}), reserved) },
		} {
			if err := s.rdb.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			step()
		}
		s.wantCount(t, "mug", 8)
		s.wantBalance(t, "mug", 10)
	})
}

// A full Redis that may not evict refuses writes. It must refuse whole scripts, and no half of one.
func TestAFullRedisRefusesWithoutEffect(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t, "--maxmemory-policy", "noeviction")
	s := newShop(t, server.Addr())
	o := newOrder(t, 1, 3)
	s.wantReserve(t, o, reserved)
	full := func(bytes string) {
		t.Helper()
		if err := s.rdb.ConfigSet(t.Context(), "maxmemory", bytes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	full("1")
	for name, cold := range map[string]order.Order{
		"a count that is loaded":     newOrder(t, 2, 1),
		"a count that is not loaded": newOrder(t, 3, 0, order.Line{SKU: "plate", Quantity: 1}),
	} {
		s.wantUntouched(t, func() {
			got := s.again(t).Reserve(t.Context(), []order.Order{cold})[0]
			if got.Failure == nil || got.Failure.Class != order.Transient || !strings.Contains(got.Failure.Message, "OOM") {
				t.Errorf("%s: %+v", name, got)
			}
		})
	}
	s.wantUntouched(t, func() {
		if got := s.Release(t.Context(), []order.Releasing{{Order: o}})[0]; got.Failure == nil || got.Failure.Class != order.Transient {
			t.Errorf("release: %+v", got)
		}
	})
	s.wantReserve(t, o, reserved)
	s.forget(t, "plate") // which needs no memory
	full("0")
	s.wantReserve(t, newOrder(t, 2, 7), reserved)
	s.wantRelease(t, o, false, order.Released)
	s.wantBalance(t, "mug", 10)
}

// Somebody else's key in the place of ours is no count and no reservation.
func TestAKeyOfAnotherKindIsAFailure(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		if err := s.rdb.Set(t.Context(), "s:{mug}", "what is this", time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		if got := s.Reserve(t.Context(), []order.Order{newOrder(t, 1, 1)})[0]; got.Failure == nil {
			t.Errorf("answered %+v", got.Answer)
		}
		if err := s.Forget(t.Context(), []string{"mug"}); err != nil { // heals it
			t.Fatal(err)
		}
		s.wantReserve(t, newOrder(t, 1, 1), reserved)
	})
}

func TestTheClientNeverRepeatsByItself(t *testing.T) {
	t.Parallel()
	s := newHastyShop(t, "127.0.0.1:1")
	single, ok := s.Client().(*redis.Client)
	if !ok {
		t.Fatalf("it is a %T", s.Client())
	}
	if o := single.Options(); o.MaxRetries > 0 || !o.ContextTimeoutEnabled || o.ReadTimeout > time.Second || o.DialTimeout > time.Second {
		t.Errorf("%+v", o)
	}
	cluster, ok := newShop(t, "127.0.0.1:1", "127.0.0.1:2").Client().(*redis.ClusterClient)
	if !ok {
		t.Fatal("two addresses, and no cluster")
	}
	if o := cluster.Options(); o.MaxRetries > 0 || o.MaxRedirects > 1 || !o.ContextTimeoutEnabled || o.ClusterStateReloadInterval > 5*time.Second {
		t.Errorf("%+v", o)
	}
}
