//go:build unix

package orderdb_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"holdfast/order"
	"holdfast/orderdb"
)

const (
	linearUnits  = 3 // of "mug"; each order wants one or two
	linearOrders = 5
)

// linearCall is one call, about one or two of the orders; look reads the stock.
type linearCall struct {
	what   string // open, commit, close, cancel, settle, look
	orders []int
}

// linearAnswer is what the call told. Of one whose context ended it is not known whether it was carried out.
type linearAnswer struct {
	unknown bool
	rows    []linearRow
	stock   [2]int64 // on hand, reserved
}

type linearRow struct {
	missing, changed, held, settled bool
	status                          order.Status
	reason                          order.Reason
}

// linearState is the sequential model: an order without a status has no row.
type linearState struct {
	orders           [linearOrders]linearRow
	onHand, reserved int64
}

var linearModel = porcupine.Model{
	Init: func() any { return linearState{onHand: linearUnits} },
	Step: func(state, input, output any) (bool, any) {
		//nolint:errcheck,forcetypeassert // the history below has nothing else
		s, call, told := state.(linearState), input.(linearCall), output.(linearAnswer)
		var rows []linearRow
		for _, i := range call.orders {
			rows = append(rows, s.step(call.what, i))
		}
		stock := told.stock
		if call.what == "look" {
			stock = [2]int64{s.onHand, s.reserved}
		}
		return told.unknown || slices.Equal(rows, told.rows) && stock == told.stock, s
	},
}

func linearQuantity(i int) int64 { return int64(1 + i%2) }

// step carries the call out for one order and gives the answer.
func (s *linearState) step(what string, i int) linearRow {
	row, q := &s.orders[i], linearQuantity(i)
	was := row.status
	changed := false
	switch {
	case what == "open" && was == "" && s.reserved+q <= s.onHand:
		s.reserved += q
		*row, changed = linearRow{status: order.Pending, held: true}, true
	case what == "open" && was == "":
		*row, changed = linearRow{status: order.Rejected, reason: order.ReasonSoldOut}, true
	case what == "close" && was == "":
		*row, changed = linearRow{status: order.Rejected, reason: order.ReasonPaymentDeclined}, true
	case what == "commit" && was == order.Pending:
		s.reserved -= q
		s.onHand -= q
		row.status, row.settled, changed = order.Confirmed, true, true
	case what == "close" && was == order.Pending:
		s.reserved -= q
		row.status, row.reason, changed = order.Rejected, order.ReasonPaymentDeclined, true
	case what == "cancel" && (was == order.Pending || was == order.Confirmed):
		if was == order.Pending {
			s.reserved -= q
		} else {
			s.onHand += q
		}
		row.status, row.reason, row.settled, changed = order.Cancelled, order.ReasonRequested, false, true
	case what == "settle" && was.Closed() && !row.settled:
		row.settled, changed = true, true
	}
	answer := *row
	answer.missing, answer.changed = row.status == "", changed
	return answer
}

// linearHistory records calls of several clients, each a program with a connection pool of its own.
type linearHistory struct {
	orders []order.Order
	start  time.Time
	mu     sync.Mutex
	calls  []porcupine.Operation
}

func (h *linearHistory) record(t *testing.T, client int, db *orderdb.DB, call linearCall, patience time.Duration) {
	t.Helper()
	ctx := t.Context()
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	op := porcupine.Operation{ClientId: client, Input: call, Call: int64(time.Since(h.start))}
	answer, err := h.ask(ctx, db, call)
	op.Return = int64(time.Since(h.start))
	if err != nil {
		if patience == 0 {
			t.Errorf("%+v: %v", call, err)
		}
		answer.unknown, op.Return = true, math.MaxInt64 // it may yet be carried out
	}
	op.Output = answer
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, op)
}

func (h *linearHistory) ask(ctx context.Context, db *orderdb.DB, call linearCall) (linearAnswer, error) {
	var chosen []order.Order
	var closings []order.Closing
	for _, i := range call.orders {
		chosen = append(chosen, h.orders[i])
		closings = append(closings, rejecting(h.orders[i]))
	}
	var rows []order.Row
	var err error
	var answer linearAnswer
	switch call.what {
	case "open":
		rows, err = db.Open(ctx, openings(chosen...))
	case "commit":
		rows, err = db.Commit(ctx, keys(chosen...))
	case "close":
		rows, err = db.Close(ctx, closings)
	case "cancel":
		rows, err = db.Cancel(ctx, keys(chosen...))
	case "settle":
		rows, err = db.Settle(ctx, keys(chosen...))
	default:
		var stocks []orderdb.Stock
		if stocks, err = db.GetStocks(ctx, []string{"mug"}); err == nil && len(stocks) == 1 {
			answer.stock = [2]int64{stocks[0].OnHand, stocks[0].Reserved}
		}
	}
	for _, r := range rows {
		answer.rows = append(answer.rows, linearRow{
			missing: r.Missing, changed: r.Changed, held: r.Held, settled: r.Settled, status: r.Status, reason: r.Reason,
		})
	}
	return answer, err
}

// someCall draws a call about one order, or about two.
func someCall(draw *rand.Rand) linearCall {
	whats := []string{"open", "open", "commit", "close", "cancel", "settle", "look"}
	call := linearCall{what: whats[draw.IntN(len(whats))]}
	if call.what != "look" {
		call.orders = draw.Perm(linearOrders)[:1+draw.IntN(2)]
	}
	return call
}

func TestWhatConcurrentCallsAreToldIsWhatOneAfterTheOtherWouldBeTold(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const clients, callsEach = 4, 12
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		db.stocked(t, "mug", linearUnits)
		h := &linearHistory{start: time.Now()}
		programs := make([]*orderdb.DB, clients)
		draws := make([]*rand.Rand, clients)
		seeds := rand.New(rand.NewPCG(seed, 0))
		for i := range programs {
			programs[i], draws[i] = db.again(t), rand.New(rand.NewPCG(seeds.Uint64(), 0))
		}
		for i := range linearOrders {
			h.orders = append(h.orders, newOrder(t, i, linearQuantity(i)))
		}
		atOnce(clients, func(client int) {
			draw := draws[client]
			for range callsEach {
				var patience time.Duration
				call := someCall(draw)
				if draw.IntN(6) == 0 {
					patience = time.Duration(1 + draw.Int64N(int64(4*time.Millisecond)))
				}
				h.record(t, client, programs[client], call, patience)
			}
		})
		h.record(t, 0, db.DB, linearCall{what: "look"}, 0)
		if got := porcupine.CheckOperationsTimeout(linearModel, h.calls, time.Minute); got != porcupine.Ok {
			t.Errorf("no order of the calls explains what they were told: %s", got)
			for _, op := range h.calls {
				t.Logf("%+v", op)
			}
		}
	})
}

func TestALastUnitHeldTwiceIsNotLinearizable(t *testing.T) {
	t.Parallel()
	held := linearRow{status: order.Pending, held: true, changed: true}
	soldOut := linearRow{status: order.Rejected, reason: order.ReasonSoldOut, changed: true}
	// Orders 1 and 3 want two of the three units each.
	history := func(second linearRow) []porcupine.Operation {
		return []porcupine.Operation{
			{Input: linearCall{"open", []int{1}}, Output: linearAnswer{rows: []linearRow{held}}, Call: 0, Return: 2},
			{ClientId: 1, Input: linearCall{"open", []int{3}}, Output: linearAnswer{rows: []linearRow{second}}, Call: 1, Return: 3},
		}
	}
	if !porcupine.CheckOperations(linearModel, history(soldOut)) {
		t.Error("one held and one sold out was not accepted")
	}
	if porcupine.CheckOperations(linearModel, history(held)) {
		t.Error("both held was accepted")
	}
}
