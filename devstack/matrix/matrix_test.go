package matrix_test

import (
	"slices"
	"testing"

	"go.temporal.io/sdk/client"

	"holdfast/order"
)

// scenario is an order's way to one of its ends.
type scenario struct {
	name     string
	method   string
	quantity int64
	ends     order.Status
	lanes    []lane
	// soldBefore: the order has been sold by another worker, and it is its cancellation that is looked at.
	soldBefore bool
	// then is done once the order is on its way; nil for nothing.
	then func(s *store, o order.Order, placed client.WorkflowRun)
	// points are those at which a fault must have been tried at least, in each of the lanes.
	points map[lane][]string
}

type lane string

const (
	single lane = "alone"
	batch  lane = "in a batch"
)

var scenarios = []scenario{
	{
		name: "sold", method: "tok_ok", quantity: 2, ends: order.Confirmed, lanes: []lane{single, batch},
		points: map[lane][]string{
			single: {"Reserve", "Open", "Align", "Charge", "Commit"}, batch: {"Reserve", "Open", "Align", "Charge", "Conclude"},
		},
	},
	{
		name: "declined", method: "tok_declined", quantity: 2, ends: order.Rejected, lanes: []lane{single, batch},
		points: map[lane][]string{
			single: {"Reserve", "Open", "Charge", "Close", "Release", "Settle"},
			batch:  {"Reserve", "Open", "Charge", "Conclude", "Release", "Settle"},
		},
	},
	{
		name: "sold out", method: "tok_ok", quantity: units + 1, ends: order.Rejected, lanes: []lane{single, batch},
		points: map[lane][]string{single: {"Reserve", "Open"}, batch: {"Reserve", "Open"}},
	},
	{
		name: "given up while its payment is pending", method: "tok_async", quantity: 2, ends: order.Cancelled, lanes: []lane{single},
		then:   giveUpWhilePending,
		points: map[lane][]string{single: {"Charge", "Close", "Reverse", "Release", "Settle"}},
	},
	{
		name: "cancelled after it was sold", method: "tok_ok", quantity: 2, ends: order.Cancelled, lanes: []lane{single},
		soldBefore: true,
		points:     map[lane][]string{single: {"Cancel", "Reverse", "Release", "Settle"}},
	},
}

// giveUpWhilePending cancels the workflow once the provider has the payment on record, or the order has ended without.
func giveUpWhilePending(s *store, o order.Order, placed client.WorkflowRun) {
	s.t.Helper()
	s.watch(func() bool {
		payment, err := s.payments.LookUp(s.t.Context(), o.ID, o.Total())
		record, rowErr := s.db.Get(s.t.Context(), o.ID)
		return err == nil && payment != nil && payment.Verdict == order.PaymentPending || rowErr == nil && record.Status.Closed()
	}, func() string { return "the payment is never pending" })
	_ = temporal.CancelWorkflow(s.t.Context(), placed.GetID(), "") // it may have ended
}

// TestMatrix lets each call that a scenario makes go wrong in each way. Which calls these are is found out by a run in which
// nothing goes wrong.
func TestMatrix(t *testing.T) {
	t.Parallel()
	for _, sc := range scenarios {
		for _, l := range sc.lanes {
			t.Run(sc.name+" "+string(l), func(t *testing.T) {
				t.Parallel()
				points := sc.run(t, l, newTrap(t.Context(), "", none))
				for _, want := range sc.points[l] {
					if !slices.Contains(points, want) {
						t.Errorf("%s is never reached, only %q: the matrix shows too little", want, points)
					}
				}
				for _, point := range points {
					for _, f := range faults {
						t.Run(point+" "+string(f), func(t *testing.T) {
							t.Parallel()
							sc.run(t, l, newTrap(t.Context(), point, f))
						})
					}
				}
			})
		}
	}
}

// run has one order, and in a batch its neighbours, carried with the trap set, and checks every promise afterwards. It returns
// the points at which ports were called.
func (sc scenario) run(t *testing.T, l lane, set *trap) (points []string) {
	t.Helper()
	s := openStore(t, units)
	set.end = s.end
	o := s.order("it", sc.method, sc.quantity)
	orders := []order.Order{o}
	var run client.WorkflowRun
	switch {
	case sc.soldBefore:
		dismiss := s.hire(newTrap(s.end, "", none))
		s.ended(s.place(o))
		dismiss()
		run = s.cancel(o)
	case l == batch:
		orders = []order.Order{s.order("one", "tok_ok", 1), o, s.order("another", "tok_ok", 1)}
		run = s.placeTogether(orders...)
	default:
		run = s.place(o)
	}
	set.cancel = func() { _ = temporal.CancelWorkflow(s.end, run.GetID(), "") }
	s.hire(set)
	s.tend = func() {
		if set.gone() {
			s.tend = func() {}
			s.hire(newTrap(s.end, "", none))
		}
	}
	if sc.then != nil {
		sc.then(s, o, run)
	}
	if set.fault != none {
		s.watch(set.hasSprung, func() string { return "the call that was to go wrong was never made" })
		s.tend()
	}
	s.ended(run)
	s.carried(o)
	set.afterwards.Wait()
	points = set.made()
	s.checkEnds(sc, l, set.fault, orders)
	return points
}

// checkEnds checks how the orders ended, and that they end so once more if they are carried again from the top.
func (s *store) checkEnds(sc scenario, l lane, f fault, orders []order.Order) {
	s.t.Helper()
	for round := range 2 {
		for _, o := range orders {
			record := s.settled(o)
			s.carried(o)
			want := []order.Status{sc.ends}
			if len(orders) > 1 && o.PaymentMethod == "tok_ok" && o.Lines[0].Quantity == 1 {
				want = []order.Status{order.Confirmed} // a neighbour
			} else if f == cancelled && l == single {
				want = append(want, order.Cancelled)
			}
			if !slices.Contains(want, record.Status) {
				s.t.Errorf("round %d: the order is %s %s, want %q", round, record.Status, record.Reason, want)
			}
		}
		s.conserves(units, orders...)
		if round == 0 {
			for _, o := range orders {
				s.ended(s.placeAgain(o))
			}
		}
	}
}
