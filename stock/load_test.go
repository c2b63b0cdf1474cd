//go:build unix

package stock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"holdfast/order"
	"holdfast/stock"
)

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestACountIsLoadedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantCount(t, "mug", notLoaded)
		var batch []order.Order
		for i := range 5 {
			batch = append(batch, newOrder(t, i, 0, order.Line{SKU: "mug", Quantity: 1}, order.Line{SKU: "plate", Quantity: 1}))
		}
		wantReservations(t, s.Reserve(t.Context(), batch), reserved, reserved, reserved, reserved, reserved)
		s.wantReserve(t, newOrder(t, "later", 1), reserved)
		s.wantLoads(t, "mug", 1)
		s.wantLoads(t, "plate", 1)
		s.wantBalance(t, "mug", 10)
		s.wantBalance(t, "plate", 5)
	})
}

func TestACountOfNothingIsLoadedToo(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.change(func(s *shelves) { s.units["mug"] = 0 })
		for i := range 3 {
			s.wantReserve(t, newOrder(t, i, 1), soldOut("mug"))
		}
		s.wantLoads(t, "mug", 1)
		s.wantCount(t, "mug", 0)
	})
}

func TestTheNextReserveAfterForgetLoadsAfresh(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, 1, 3), reserved)
		s.change(func(s *shelves) { s.units["mug"] = 4 })
		if err := s.Forget(t.Context(), []string{"mug", "never-loaded"}); err != nil {
			t.Fatal(err)
		}
		s.wantCount(t, "mug", notLoaded)
		s.wantReserve(t, newOrder(t, 2, 5), soldOut("mug"))
		s.wantReserve(t, newOrder(t, 3, 4), reserved)
		s.wantBalance(t, "mug", 4)
	})
}

// slowly makes the next load wait, after it has read, until the test lets it go on.
func (s *shelves) slowly() (reading <-chan struct{}, goOn func()) {
	started, gate := make(chan struct{}), make(chan struct{})
	s.change(func(s *shelves) {
		s.pause = func() {
			s.change(func(s *shelves) { s.pause = nil })
			close(started)
			<-gate
		}
	})
	return started, func() { close(gate) }
}

// A count that was read before the stock changed must not be written after.
func TestALoadThatTheStockOvertookIsRefused(t *testing.T) {
	for name, overtake := range map[string]func(*testing.T, *shop){
		"by Forget": func(t *testing.T, s *shop) {
			t.Helper()
			s.change(func(s *shelves) { s.units["mug"] = 4 })
			s.forget(t, "mug")
		},
		"by an order that was opened": func(t *testing.T, s *shop) {
			t.Helper()
			s.align(t, s.hold(newOrder(t, "before", 6)))
		},
		"by the release of an order that held units": func(t *testing.T, s *shop) {
			t.Helper()
			s.change(func(s *shelves) { s.units["mug"] = 2 })
			s.wantReleasing(t, s.give(order.Held{
				Order: newOrder(t, "flushed", 2), Holds: []order.Hold{{SKU: "mug", From: 1}},
			}), order.Released)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *shop) {
				s.wantReserve(t, newOrder(t, "before", 6), reserved)
				s.forget(t, "mug")
				reading, goOn := s.slowly()
				done := make(chan []order.Outcome[order.Reservation])
				o := newOrder(t, 1, 1)
				go func() { done <- s.Reserve(t.Context(), []order.Order{o}) }()
				<-reading
				overtake(t, s)
				goOn()
				wantReservations(t, <-done, reserved)
				s.wantCount(t, "mug", 3)
				s.wantBalance(t, "mug", 4)
				s.wantLoads(t, "mug", 3) // the first, the stale one, and the one after it
			})
		})
	}
}

func TestOnlyOneLoadsASKUAtATime(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		other := s.again(t)
		reading, goOn := s.slowly()
		first, second := make(chan []order.Outcome[order.Reservation]), make(chan []order.Outcome[order.Reservation])
		a, b := newOrder(t, "a", 6), newOrder(t, "b", 0, order.Line{SKU: "mug", Quantity: 4}, order.Line{SKU: "plate", Quantity: 1})
		go func() { first <- s.Reserve(t.Context(), []order.Order{a}) }()
		<-reading
		if left := s.rdb.PTTL(t.Context(), "l:{mug}").Val(); left <= 0 || left > 2*time.Second {
			t.Errorf("a loader that died would be waited for %s", left)
		}
		go func() { second <- other.Reserve(t.Context(), []order.Order{b}) }()
		// The second does not wait with what it can load itself.
		eventually(t, "the plates are loaded", func() bool {
			counts, err := s.Counts(t.Context(), []string{"plate"})
			return err == nil && len(counts) == 1
		})
		goOn()
		wantReservations(t, <-first, reserved)
		wantReservations(t, <-second, reserved)
		s.wantLoads(t, "mug", 1)
		s.wantCount(t, "mug", 0)
		s.wantBalance(t, "mug", 10)
	})
}

// holdUp is a hook that stops a client before its second pipeline, greetings not counted.
type holdUp struct {
	pipelines int
	reached   chan struct{}
	goOn      chan struct{}
}

func (*holdUp) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*holdUp) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h *holdUp) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if name := cmds[0].Name(); name == "evalsha" || name == "eval" || name == "set" {
			h.pipelines++
			if h.pipelines == 2 {
				close(h.reached)
				<-h.goOn
			}
		}
		return next(ctx, cmds)
	}
}

// A caller that was told "not loaded" may come to load when another has long done so and sold from it.
// Its count must not take the place of the one that is there.
func TestALoaderThatComesLateLeavesTheCountAlone(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, "warm", 0, order.Line{SKU: "plate", Quantity: 1}), reserved) // the server knows the scripts now
		late := s.again(t)
		hook := &holdUp{reached: make(chan struct{}), goOn: make(chan struct{})}
		late.Client().AddHook(hook)
		done := make(chan []order.Outcome[order.Reservation])
		go func() { done <- late.Reserve(t.Context(), []order.Order{newOrder(t, "late", 1)}) }()
		<-hook.reached
		s.wantReserve(t, newOrder(t, "all", 10), reserved)
		close(hook.goOn)
		wantReservations(t, <-done, soldOut("mug"))
		s.wantLoads(t, "mug", 1)
		s.wantBalance(t, "mug", 10)
	})
}

func TestAFailedLoadHoldsNobodyUp(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		broken := order.Failf(order.Transient, "the database is down")
		s.change(func(s *shelves) { s.fail = broken })
		got := s.Reserve(t.Context(), []order.Order{newOrder(t, 1, 1), newOrder(t, 2, 0, order.Line{SKU: "plate", Quantity: 1})})
		for i, o := range got {
			if o.Failure == nil || o.Failure.Class != order.Transient || !errors.Is(o.Failure, broken) {
				t.Errorf("outcome %d: %+v", i, o)
			}
		}
		s.change(func(s *shelves) { s.fail = nil })
		// Its token is gone: on a clock that stands still the next would wait for ever.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantReservations(t, s.Reserve(ctx, []order.Order{newOrder(t, 1, 1)}), reserved)
		s.wantBalance(t, "mug", 10)
	})
}

// Others wait for a load, so it goes on when the one that began it leaves.
func TestALoaderThatIsGivenUpHoldsNobodyUp(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		reading, goOn := s.slowly()
		ctx, cancel := context.WithCancel(t.Context())
		leaves, stays := make(chan []order.Outcome[order.Reservation]), make(chan []order.Outcome[order.Reservation])
		go func() { leaves <- s.Reserve(ctx, []order.Order{newOrder(t, 1, 1)}) }()
		<-reading
		go func() { stays <- s.Reserve(t.Context(), []order.Order{newOrder(t, 2, 1)}) }()
		cancel()
		if got := <-leaves; got[0].Failure == nil || !errors.Is(got[0].Failure, context.Canceled) {
			t.Errorf("given up: %+v", got[0])
		}
		goOn()
		wantReservations(t, <-stays, reserved)
		s.wantLoads(t, "mug", 1)
		s.wantBalance(t, "mug", 10)
	})
}

// A loader of another program that hangs holds up those who want its SKU, and nobody else.
func TestAStuckLoaderHoldsItsOwnSKUUpAlone(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		if err := s.rdb.Set(t.Context(), "l:{mug}", "stuck", time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		both := make(chan []order.Outcome[order.Reservation])
		go func() {
			both <- s.Reserve(ctx, []order.Order{newOrder(t, 1, 1), newOrder(t, 2, 0, order.Line{SKU: "plate", Quantity: 1})})
		}()
		eventually(t, "the plates are for sale", func() bool {
			soon, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer stop()
			got := s.Reserve(soon, []order.Order{newOrder(t, 3, 0, order.Line{SKU: "plate", Quantity: 1})})[0]
			return got.Failure == nil && got.Answer.Verdict == order.Reserved
		})
		cancel()
		<-both
	})
}

// A thundering herd on a cold SKU, from two programs.
func TestAThousandRequestsForAColdSKUMakeOneDatabaseRead(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		const requests = 1000
		s.change(func(s *shelves) { s.units["mug"] = requests })
		fronts := []*stock.Front{s.Front, s.again(t)}
		atOnce(requests, func(i int) {
			got := fronts[i%2].Reserve(t.Context(), []order.Order{newOrder(t, i, 1)})[0]
			if got.Failure != nil || got.Answer.Verdict != order.Reserved {
				t.Errorf("request %d: %+v", i, got)
			}
		})
		s.wantLoads(t, "mug", 1)
		s.wantCount(t, "mug", 0)
	})
}

func TestWhoWaitsForAnotherLoaderGivesUpInTime(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		s.wantReserve(t, newOrder(t, 1, 0, order.Line{SKU: "plate", Quantity: 1}), reserved)
		if err := s.rdb.Set(t.Context(), "l:{mug}", "another", time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got := s.Reserve(ctx, []order.Order{newOrder(t, 2, 1), newOrder(t, 1, 0, order.Line{SKU: "plate", Quantity: 1})})
		if got[0].Failure == nil {
			t.Errorf("answered %+v", got[0].Answer)
		}
		wantReservations(t, got[1:], reserved) // its neighbour has its answer
		s.wantLoads(t, "mug", 0)
	})
}

func TestALoaderThatDiedIsReplaced(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		// As if a loader had taken the SKU a while ago and its process were gone.
		if err := s.rdb.Set(t.Context(), "l:{mug}", "dead", 50*time.Millisecond).Err(); err != nil {
			t.Fatal(err)
		}
		done := make(chan []order.Outcome[order.Reservation], 1)
		go func() { done <- s.Reserve(t.Context(), []order.Order{newOrder(t, 1, 1)}) }()
		if s.mini != nil {
			s.mini.FastForward(50 * time.Millisecond)
		}
		wantReservations(t, <-done, reserved)
		s.wantBalance(t, "mug", 10)
	})
}

var _ stock.Source = (*shelves)(nil)
