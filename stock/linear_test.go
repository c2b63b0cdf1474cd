//go:build unix

package stock_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/stock"
)

const (
	linearUnits  = 2 // of "mug" at first; each order wants one or two
	linearOrders = 6
)

// linearCall is one call about "mug": reserve and release an order, deliver a unit to the shelves, forget, look at the
// count, and what Redis does by itself, which is to flush everything and to evict the count.
type linearCall struct {
	what  string
	order int
}

// linearAnswer is what the call told. Of one that failed it is not known whether it was carried out.
type linearAnswer struct {
	unknown bool
	verdict order.Verdict
	units   int64 // notLoaded without a count
}

// claimed is what Redis knows of an order.
type claimed int

const (
	nothing     claimed = iota
	fromThis            // units of this count
	fromAnother         // units of a count that is gone
	givenBack
)

// linearState is the sequential model. Nobody opens a row, so that the shelves change by deliveries alone.
type linearState struct {
	shelves int64
	loader  int64 // what a loader read that has not written it yet; notLoaded if there is none
	units   int64 // notLoaded without a count
	orders  [linearOrders]claimed
}

var linearModel = (&porcupine.NondeterministicModel{
	Init: func() []any {
		return loading(linearState{shelves: linearUnits, loader: notLoaded, units: notLoaded})
	},
	Step: func(state, input, output any) []any {
		//nolint:errcheck,forcetypeassert // the history below has nothing else
		s, call, told := state.(linearState), input.(linearCall), output.(linearAnswer)
		if call.what == "reserve" && s.units == notLoaded && s.orders[call.order] == nothing {
			if told.unknown {
				return loading(s)
			}
			return nil // it loads first
		}
		if answer := s.step(call); !told.unknown && answer != told {
			return nil
		}
		return loading(s)
	},
}).ToModel()

// loading gives the state, and those that a loader makes of it.
func loading(s linearState) []any {
	states := []any{s}
	if s.units != notLoaded {
		return states
	}
	if s.loader == notLoaded {
		s.loader = s.shelves
		states = append(states, s)
	}
	s.units, s.loader = s.loader, notLoaded
	return append(states, s)
}

func linearQuantity(i int) int64 { return int64(1 + i%2) }

// step carries the call out and gives the answer.
func (s *linearState) step(call linearCall) linearAnswer {
	claim, q := &s.orders[call.order], linearQuantity(call.order)
	switch call.what {
	case "reserve":
		switch {
		case *claim == givenBack:
			return linearAnswer{verdict: order.Released}
		case *claim == nothing && s.units < q:
			return linearAnswer{verdict: order.SoldOut}
		case *claim == nothing:
			s.units -= q
			*claim = fromThis
		}
		return linearAnswer{verdict: order.Reserved}
	case "release":
		switch *claim {
		case fromThis:
			s.units += q
		case nothing: // its reservation may have been lost, and this count may do without its units
			if s.units != notLoaded {
				s.forget()
			}
		case fromAnother, givenBack:
		}
		*claim = givenBack
		return linearAnswer{verdict: order.Released}
	case "look":
		return linearAnswer{units: s.units}
	case "deliver":
		s.shelves++
	case "forget":
		s.forget()
	case "evict":
		loader := s.loader
		s.forget()
		s.loader = loader
	case "flush":
		s.forget()
		s.orders = [linearOrders]claimed{}
	}
	return linearAnswer{}
}

// forget takes the count and the loader's token away.
func (s *linearState) forget() {
	s.units, s.loader = notLoaded, notLoaded
	for i, c := range s.orders {
		if c == fromThis {
			s.orders[i] = fromAnother
		}
	}
}

// linearHistory records calls of several programs.
type linearHistory struct {
	*shop
	orders []order.Order
	start  time.Time
	mu     sync.Mutex
	calls  []porcupine.Operation
}

// record makes a call and notes it. One that may fail is one of which Redis, or the patience of its caller, may not see the end.
func (h *linearHistory) record(t *testing.T, client int, front *stock.Front, call linearCall, patience time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	op := porcupine.Operation{ClientId: client, Input: call, Call: int64(time.Since(h.start))}
	answer, err := h.ask(ctx, front, call)
	op.Return = int64(time.Since(h.start))
	if err != nil {
		answer = linearAnswer{unknown: true}
		op.Return = math.MaxInt64 // it may yet be carried out
	}
	op.Output = answer
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, op)
}

func (h *linearHistory) ask(ctx context.Context, front *stock.Front, call linearCall) (linearAnswer, error) {
	o := h.orders[call.order]
	switch call.what {
	case "reserve":
		outcome := front.Reserve(ctx, []order.Order{o})[0]
		return linearAnswer{verdict: outcome.Answer.Verdict}, errorOf(outcome.Failure)
	case "release":
		outcome := front.Release(ctx, []order.Releasing{{Order: o, Taken: true}})[0]
		return linearAnswer{verdict: outcome.Answer}, errorOf(outcome.Failure)
	case "look":
		counts, err := front.Counts(ctx, []string{"mug"})
		units, loaded := counts["mug"]
		if !loaded {
			units = notLoaded
		}
		return linearAnswer{units: units}, err
	case "deliver":
		h.change(func(s *shelves) { s.units["mug"]++ })
		return linearAnswer{}, nil
	case "forget":
		return linearAnswer{}, front.Forget(ctx, []string{"mug"})
	case "evict":
		return linearAnswer{}, h.rdb.Del(ctx, "s:{mug}").Err()
	default:
		return linearAnswer{}, h.rdb.FlushAll(ctx).Err()
	}
}

// someCalls draws a call, or a delivery with what has to follow it.
func someCalls(draw *rand.Rand) []linearCall {
	call := linearCall{order: draw.IntN(linearOrders)}
	switch n := draw.IntN(20); {
	case n < 10:
		call.what = "reserve"
	case n < 13:
		call.what = "release"
	case n < 16:
		call.what = "look"
	case n < 17:
		return []linearCall{{what: "deliver"}, {what: "forget"}}
	case n < 18:
		call.what = "forget"
	case n < 19:
		call.what = "evict"
	default:
		call.what = "flush"
	}
	return []linearCall{call}
}

// oneScriptInEight is how often a program is cut off, and never so often in a row that Redis would be thought away.
func oneScriptInEight(request []byte) int {
	if bytes.Contains(request, []byte("evalsha")) {
		return 8
	}
	return 0
}

func TestWhatConcurrentCallsAreToldIsWhatOneAfterTheOtherWouldBeTold(t *testing.T) {
	onEach(t, func(t *testing.T, s *shop) {
		const clients, callsEach = 4, 20
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		s.change(func(s *shelves) { s.units["mug"] = linearUnits })
		// A query takes a moment, in which others change what it read.
		s.pause = func() { time.Sleep(rand.N(2 * time.Millisecond)) }
		h := &linearHistory{shop: s, start: time.Now()}
		for i := range linearOrders {
			h.orders = append(h.orders, newOrder(t, fmt.Sprint("linear-", i), linearQuantity(i)))
		}
		seeds := rand.New(rand.NewPCG(seed, 0))
		draws, fronts, cutters := make([]*rand.Rand, clients), make([]*stock.Front, clients), make([]*testserver.Cutter, clients)
		for i := range clients {
			draws[i] = rand.New(rand.NewPCG(seeds.Uint64(), 0))
			cutters[i] = testserver.NewCutter(t, s.addrs[0], i%2 == 0, testserver.CutNowAndThen(seeds.Uint64(), 4, oneScriptInEight))
			behind := &shop{shelves: s.shelves, addrs: []string{cutters[i].Addr}}
			fronts[i] = behind.again(t)
		}
		atOnce(clients, func(client int) {
			draw := draws[client]
			for range callsEach {
				for _, call := range someCalls(draw) {
					patience := time.Minute
					if call.what != "forget" && draw.IntN(10) == 0 {
						patience = time.Duration(1 + draw.Int64N(int64(2*time.Millisecond)))
					}
					h.record(t, client, fronts[client], call, patience)
				}
			}
		})
		h.record(t, clients, s.Front, linearCall{what: "look"}, time.Minute)
		for i, cutter := range cutters {
			t.Logf("program %d was cut off %d times", i, cutter.Cuts())
		}
		switch porcupine.CheckOperationsTimeout(linearModel, h.calls, time.Minute) {
		case porcupine.Ok:
		case porcupine.Unknown:
			t.Log("too many orders of the calls are possible to try all of them")
		case porcupine.Illegal:
			t.Error("no order of the calls explains what they were told")
			for _, op := range h.calls {
				t.Logf("%+v", op)
			}
		}
	})
}

func TestACountOlderThanWhatForgotItIsNotLinearizable(t *testing.T) {
	t.Parallel()
	history := func(units int64) []porcupine.Operation {
		return []porcupine.Operation{
			{Input: linearCall{what: "deliver"}, Output: linearAnswer{}, Call: 0, Return: 1},
			{Input: linearCall{what: "forget"}, Output: linearAnswer{}, Call: 2, Return: 3},
			{Input: linearCall{what: "look"}, Output: linearAnswer{units: units}, Call: 4, Return: 5},
		}
	}
	if !porcupine.CheckOperations(linearModel, history(linearUnits+1)) || !porcupine.CheckOperations(linearModel, history(notLoaded)) {
		t.Error("a new count, or none, was not accepted")
	}
	if porcupine.CheckOperations(linearModel, history(linearUnits)) {
		t.Error("the old count was accepted")
	}
}
