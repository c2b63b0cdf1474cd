//go:build unix

package orderdb_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/orderdb"
)

const linearOrders = 5

var (
	linearSKUs  = [2]string{"mug", "plate"}
	linearUnits = units{3, 2}
)

// units are those of each of linearSKUs.
type units [2]int64

func (u units) plus(v units, sign int64) units { return units{u[0] + sign*v[0], u[1] + sign*v[1]} }

func (u units) within(v units) bool { return u[0] <= v[0] && u[1] <= v[1] }

// linearWants are the units that each order wants.
var linearWants = [linearOrders]units{{1, 0}, {2, 0}, {1, 1}, {0, 2}, {2, 1}}

// linearCall is one call, about one or two of the orders; look reads the stock.
type linearCall struct {
	what   string // open, commit, close, cancel, settle, look
	orders []int
}

// linearAnswer is what the call told. Of one that failed it is not known whether it was carried out.
type linearAnswer struct {
	unknown          bool
	rows             []linearRow
	onHand, reserved units
}

type linearRow struct {
	missing, changed, held, settled bool
	status                          order.Status
	reason                          order.Reason
}

// linearState is the sequential model: an order without a status has no row.
type linearState struct {
	orders           [linearOrders]linearRow
	onHand, reserved units
}

var linearModel = porcupine.Model{
	Init: func() any { return linearState{onHand: linearUnits} },
	Step: func(state, input, output any) (bool, any) {
		//nolint:errcheck,forcetypeassert // the history below has nothing else
		s, call, told := state.(linearState), input.(linearCall), output.(linearAnswer)
		if call.what == "look" {
			return told.unknown || told.onHand == s.onHand && told.reserved == s.reserved, s
		}
		var rows []linearRow
		for _, i := range call.orders {
			rows = append(rows, s.step(call.what, i))
		}
		return told.unknown || slices.Equal(rows, told.rows), s
	},
}

// step carries the call out for one order and gives the answer.
func (s *linearState) step(what string, i int) linearRow {
	row, wants := &s.orders[i], linearWants[i]
	was := row.status
	changed := false
	switch {
	case what == "open" && was == "" && s.reserved.plus(wants, 1).within(s.onHand):
		s.reserved = s.reserved.plus(wants, 1)
		*row, changed = linearRow{status: order.Pending, held: true}, true
	case what == "open" && was == "":
		*row, changed = linearRow{status: order.Rejected, reason: order.ReasonSoldOut}, true
	case what == "close" && was == "":
		*row, changed = linearRow{status: order.Rejected, reason: order.ReasonPaymentDeclined}, true
	case what == "commit" && was == order.Pending:
		s.reserved = s.reserved.plus(wants, -1)
		s.onHand = s.onHand.plus(wants, -1)
		row.status, row.settled, changed = order.Confirmed, true, true
	case what == "close" && was == order.Pending:
		s.reserved = s.reserved.plus(wants, -1)
		row.status, row.reason, changed = order.Rejected, order.ReasonPaymentDeclined, true
	case what == "cancel" && (was == order.Pending || was == order.Confirmed):
		if was == order.Pending {
			s.reserved = s.reserved.plus(wants, -1)
		} else {
			s.onHand = s.onHand.plus(wants, 1)
		}
		row.status, row.reason, row.settled, changed = order.Cancelled, order.ReasonRequested, false, true
	case what == "settle" && was.Closed() && !row.settled:
		row.settled, changed = true, true
	}
	answer := *row
	answer.missing, answer.changed = row.status == "", changed
	return answer
}

// linearProgram is a client with a connection pool of its own.
type linearProgram struct {
	*orderdb.DB
	cutter *testserver.Cutter // nil if its connections are never cut
	draw   *rand.Rand
}

// linearHistory records calls of several programs.
type linearHistory struct {
	orders []order.Order
	start  time.Time
	mu     sync.Mutex
	calls  []porcupine.Operation
}

func (h *linearHistory) record(t *testing.T, client int, program linearProgram, call linearCall, patience time.Duration) {
	t.Helper()
	ctx := t.Context()
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	cuts := int64(0)
	if program.cutter != nil {
		cuts = -program.cutter.Cuts()
	}
	op := porcupine.Operation{ClientId: client, Input: call, Call: int64(time.Since(h.start))}
	answer, err := h.ask(ctx, program.DB, call)
	op.Return = int64(time.Since(h.start))
	if program.cutter != nil {
		cuts += program.cutter.Cuts()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		if patience == 0 && cuts == 0 {
			t.Errorf("%+v: %v", call, err)
		}
		answer.unknown, op.Return = true, math.MaxInt64 // it may yet be carried out
	}
	// A row that is missing cannot be locked: another may write it while this call waits for those that it can lock.
	found := linearCall{what: call.what}
	foundAnswer := linearAnswer{unknown: answer.unknown, onHand: answer.onHand, reserved: answer.reserved}
	for i, row := range answer.rows {
		if row.missing {
			alone := op
			alone.Input, alone.Output = linearCall{call.what, call.orders[i : i+1]}, linearAnswer{rows: []linearRow{row}}
			h.calls = append(h.calls, alone)
			continue
		}
		found.orders, foundAnswer.rows = append(found.orders, call.orders[i]), append(foundAnswer.rows, row)
	}
	if answer.unknown {
		found.orders = call.orders
	}
	op.Input, op.Output = found, foundAnswer
	h.calls = append(h.calls, op)
	// Each time the connection was lost, the transaction may have taken effect, and may have been repeated. A repeat leaves nothing for
	// it to do later.
	for range cuts {
		lost := op
		lost.Output = linearAnswer{unknown: true}
		h.calls = append(h.calls, lost)
	}
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
		stocks, err = db.GetStocks(ctx, linearSKUs[:])
		for i, stock := range stocks {
			answer.onHand[i], answer.reserved[i] = stock.OnHand, stock.Reserved
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
		h := &linearHistory{start: time.Now()}
		for i, sku := range linearSKUs {
			db.stocked(t, sku, linearUnits[i])
		}
		programs := make([]linearProgram, clients)
		seeds := rand.New(rand.NewPCG(seed, 0))
		for i := range programs {
			programs[i] = linearProgram{DB: db.again(t), draw: rand.New(rand.NewPCG(seeds.Uint64(), 0))}
			if db.mysql && i < clients/2 {
				programs[i].DB, programs[i].cutter = db.behindCutter(t, i%2 == 0, testserver.CutNowAndThen(seeds.Uint64(), 20, oneCommitInSix))
			}
		}
		for i, wants := range linearWants {
			var lines []order.Line
			for j, sku := range linearSKUs {
				if wants[j] > 0 {
					lines = append(lines, order.Line{SKU: sku, Quantity: wants[j], UnitPrice: 1})
				}
			}
			h.orders = append(h.orders, newOrder(t, i, 0, lines...))
		}
		atOnce(clients, func(client int) {
			program := programs[client]
			for range callsEach {
				var patience time.Duration
				call := someCall(program.draw)
				if program.draw.IntN(6) == 0 {
					patience = time.Duration(1 + program.draw.Int64N(int64(4*time.Millisecond)))
				}
				h.record(t, client, program, call, patience)
			}
		})
		h.record(t, clients, linearProgram{DB: db.DB}, linearCall{what: "look"}, 0)
		for i, program := range programs {
			if program.cutter != nil {
				t.Logf("program %d was cut off %d times", i, program.cutter.Cuts())
			}
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

// oneCommitInSix is how often a program is cut off, and at other statements one time in forty; it is left alone for twenty statements then, so
// that no transaction is given up.
func oneCommitInSix(request []byte) int {
	if bytes.Contains(request, []byte(commit)) {
		return 6
	}
	return 40
}

func TestALastUnitHeldTwiceIsNotLinearizable(t *testing.T) {
	t.Parallel()
	held := linearRow{status: order.Pending, held: true, changed: true}
	soldOut := linearRow{status: order.Rejected, reason: order.ReasonSoldOut, changed: true}
	// Orders 1 and 4 want two of the three mugs each.
	history := func(second linearRow) []porcupine.Operation {
		return []porcupine.Operation{
			{Input: linearCall{"open", []int{1}}, Output: linearAnswer{rows: []linearRow{held}}, Call: 0, Return: 2},
			{ClientId: 1, Input: linearCall{"open", []int{4}}, Output: linearAnswer{rows: []linearRow{second}}, Call: 1, Return: 3},
		}
	}
	if !porcupine.CheckOperations(linearModel, history(soldOut)) {
		t.Error("one held and one sold out was not accepted")
	}
	if porcupine.CheckOperations(linearModel, history(held)) {
		t.Error("both held was accepted")
	}
}
