package activities_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/testsuite"

	"holdfast/activities"
	"holdfast/order"
)

// scripted are ports that answer for each order what its payment method says, and note what they are asked.
type scripted struct {
	*ledger

	failing string // the step that fails as a whole
	panics  string // the step that panics
	settled []string
	// telling: others are to be told of each end; untold are those of which they still are.
	telling  bool
	untold   []string
	released map[string]order.Releasing
}

func (s *scripted) step(name string) error {
	if s.panics == name {
		panic("a bug in " + name)
	}
	if s.failing == name {
		return order.Failf(order.Unknown, "%s: connection lost", name)
	}
	return nil
}

func (s *scripted) Reserve(_ context.Context, orders []order.Order) []order.Outcome[order.Reservation] {
	err := s.step("Reserve")
	outcomes := make([]order.Outcome[order.Reservation], len(orders))
	for i, o := range orders {
		switch {
		case err != nil, o.PaymentMethod == "redis-silent":
			outcomes[i] = order.Undecided[order.Reservation](order.Failf(order.Unknown, "no answer"))
		case o.PaymentMethod == "sold-out":
			outcomes[i] = order.Decided(order.Reservation{Verdict: order.SoldOut, SKUs: []string{"mug"}})
		default:
			outcomes[i] = order.Decided(order.Reservation{Verdict: order.Reserved, Taken: true})
		}
	}
	return outcomes
}

// rowsOnOpen are what Open answers beyond a fresh PENDING row.
var rowsOnOpen = map[string]order.Row{
	"sold-out":         {Status: order.Rejected, Reason: order.ReasonSoldOut, Changed: true, Settled: true},
	"guard-refuses":    {Status: order.Rejected, Reason: order.ReasonSoldOut, Changed: true},
	"key-reused":       {KeyReused: true},
	"confirmed-before": {Status: order.Confirmed, Held: true, Settled: true},
	"cancelled-before": {Status: order.Cancelled, Held: true, Settled: true},
	"unsettled-before": {Status: order.Cancelled, Held: true},
	"by-hand":          {Status: order.Pending, Held: true, ByHand: order.Charged},
}

func (s *scripted) Open(_ context.Context, openings []order.Opening) ([]order.Row, error) {
	if err := s.step("Open"); err != nil {
		return nil, err
	}
	rows := make([]order.Row, len(openings))
	for i, o := range openings {
		row, ok := rowsOnOpen[o.Order.PaymentMethod]
		if !ok {
			row = order.Row{Status: order.Pending, Changed: true, Held: true, CreatedAt: time.Now()}
		}
		row.Holds = []order.Hold{{SKU: "mug", From: 1}}
		rows[i] = row
	}
	return rows, nil
}

func (s *scripted) Charge(_ context.Context, _ order.ID, _ order.Amount, method string) (order.Payment, error) {
	s.note("charge %s", method)
	switch method {
	case "declined":
		return order.Payment{Verdict: order.Declined, Reason: "no funds"}, nil
	case "pending":
		return order.Payment{Verdict: order.PaymentPending}, nil
	case "provider-silent":
		return order.Payment{}, order.Failf(order.Unknown, "no answer")
	case "panics":
		panic("a bug that this order meets")
	}
	return order.Payment{Verdict: order.Approved}, s.step("Charge")
}

func (s *scripted) Reverse(_ context.Context, id order.ID) error {
	for _, method := range methods {
		if id == idOf(method) {
			s.note("reverse %s", method)
		}
	}
	return s.step("Reverse")
}

func (s *scripted) Conclude(_ context.Context, conclusions []order.Conclusion) ([]order.Row, error) {
	if err := s.step("Conclude"); err != nil {
		return nil, err
	}
	rows := make([]order.Row, len(conclusions))
	for i, c := range conclusions {
		switch {
		case c.Key.ID == idOf("closed-meanwhile"):
			rows[i] = order.Row{Status: order.Cancelled, Held: true}
		case c.Key.ID == idOf("settled-meanwhile"):
			rows[i] = order.Row{Status: order.Cancelled, Held: true, Settled: true}
		case c.Key.ID == idOf("gone-meanwhile"):
			rows[i] = order.Row{Missing: true}
		case c.Payment.Verdict == order.Approved:
			rows[i] = order.Row{Status: order.Confirmed, Changed: true, Held: true, Settled: !s.telling, OwesEvent: s.telling}
		default:
			rows[i] = order.Row{
				Status: order.Rejected, Reason: order.ReasonPaymentDeclined, Detail: c.Payment.Reason, Changed: true, Held: true,
				Holds: []order.Hold{{SKU: "mug", From: 1, Until: 2}},
			}
		}
	}
	return rows, nil
}

func (s *scripted) Release(_ context.Context, releases []order.Releasing) []order.Outcome[order.Verdict] {
	err := s.step("Release")
	outcomes := make([]order.Outcome[order.Verdict], len(releases))
	for i, r := range releases {
		if outcomes[i] = order.Decided(order.Released); err != nil {
			outcomes[i] = order.Undecided[order.Verdict](err)
			continue
		}
		s.released[r.Order.PaymentMethod] = r
	}
	return outcomes
}

func (s *scripted) Settle(_ context.Context, keys []order.Key) ([]order.Row, error) {
	if err := s.step("Settle"); err != nil {
		return nil, err
	}
	for _, key := range keys {
		for _, method := range methods {
			if key.ID == idOf(method) {
				s.settled = append(s.settled, method)
			}
		}
	}
	rows := make([]order.Row, len(keys))
	for i := range rows {
		rows[i].OwesEvent = s.telling
	}
	return rows, nil
}

// methods are the orders of the batch, each named for what happens to it.
var methods = []string{
	"approved", "declined", "sold-out", "guard-refuses", "key-reused", "confirmed-before", "cancelled-before", "unsettled-before",
	"by-hand", "pending", "provider-silent", "redis-silent", "closed-meanwhile", "settled-meanwhile", "gone-meanwhile", "panics", "invalid",
}

func idOf(method string) order.ID { return order.NewID("c-1", method) }

func newScripted() *scripted {
	return &scripted{ledger: &ledger{}, released: make(map[string]order.Releasing)}
}

// place runs the batch and gives the methods of the orders that it left undecided.
func (s *scripted) place(t *testing.T) (undecided []string, failure string) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	steps := registry{ActivityRegistry: env, functions: make(map[string]any)}
	(&activities.Activities{
		Stock: s, Orders: s, Payments: s, Metrics: activities.NewMetrics(prometheus.NewRegistry()), KeyMemory: time.Hour,
		PaymentDeadline: deadline, DirectOpens: activities.NewDirectOpens(1),
	}).Register(steps)
	orders := make([]order.Order, len(methods))
	for i, method := range methods {
		orders[i] = newOrder(t, method, method, 5)
		if method == "invalid" {
			orders[i].Lines = nil
		}
	}
	value, err := env.ExecuteLocalActivity(steps.functions[activities.PlaceBatch], orders)
	if err != nil {
		t.Fatal(err)
	}
	var result activities.BatchResult
	if err := value.Get(&result); err != nil {
		t.Fatal(err)
	}
	if len(result.Invalid) != 1 || methods[result.Invalid[0]] != "invalid" {
		t.Errorf("invalid are %v", result.Invalid)
	}
	for _, i := range result.Unpublished {
		s.untold = append(s.untold, methods[i])
	}
	for _, i := range result.Undecided {
		undecided = append(undecided, methods[i])
	}
	return undecided, result.Failure
}

func wantMethods(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s are\n %v, want\n %v", what, got, want)
	}
}

// undecidedAnyway are the orders that no batch decides.
var undecidedAnyway = []string{"unsettled-before", "by-hand", "pending", "provider-silent", "redis-silent", "closed-meanwhile", "gone-meanwhile", "panics"}

func TestABatchDecidesWhatGoesStraightThrough(t *testing.T) {
	t.Parallel()
	s := newScripted()
	undecided, failure := s.place(t)
	wantMethods(t, "undecided", undecided, undecidedAnyway...)
	if failure == "" {
		t.Error("it does not say why the first is undecided")
	}
	wantMethods(t, "released", slices.Collect(maps.Keys(s.released)), "declined", "guard-refuses", "key-reused", "cancelled-before", "settled-meanwhile")
	wantMethods(t, "settled", s.settled, "declined", "guard-refuses")
	if r := s.released["key-reused"]; !r.Foreign {
		t.Errorf("another's order is blocked: %+v", r)
	}
	if r := s.released["declined"]; !r.Taken || len(r.Holds) != 1 || r.Holds[0].Until != 2 {
		t.Errorf("release of the declined order is told %+v", r)
	}
	if !slices.Contains(s.calls, "reverse settled-meanwhile") {
		t.Error("the charge of an order that somebody had settled meanwhile stays")
	}
	for _, call := range s.calls {
		if method, ok := strings.CutPrefix(call, "reverse "); ok && method != "settled-meanwhile" {
			t.Errorf("%s was reversed", method)
		}
		if method, ok := strings.CutPrefix(call, "charge "); ok && rowsOnOpen[method].Status != "" {
			t.Errorf("%s was charged", method)
		}
	}
}

// TestOthersAreToBeToldOfWhatABatchDecided, once nothing else is owed.
func TestOthersAreToBeToldOfWhatABatchDecided(t *testing.T) {
	t.Parallel()
	s := newScripted()
	s.place(t)
	wantMethods(t, "untold without events", s.untold)
	s = newScripted()
	s.telling = true
	undecided, _ := s.place(t)
	wantMethods(t, "untold", s.untold, "approved", "declined", "guard-refuses")
	wantMethods(t, "undecided", undecided, undecidedAnyway...)
}

// TestAStepThatFailsAsAWholeHandsItsOrdersOn, whatever it did; what was decided before stays so.
func TestAStepThatFailsAsAWholeHandsItsOrdersOn(t *testing.T) {
	t.Parallel()
	decidedByOpen := []string{"sold-out", "confirmed-before"}
	for step, decided := range map[string][]string{
		"Reserve":  nil,
		"Open":     nil,
		"Conclude": append([]string{"guard-refuses", "key-reused", "cancelled-before"}, decidedByOpen...),
		"Reverse":  append([]string{"approved", "declined", "guard-refuses", "key-reused", "cancelled-before"}, decidedByOpen...),
		"Release":  append([]string{"approved"}, decidedByOpen...),
		"Settle":   append([]string{"approved", "key-reused", "cancelled-before", "settled-meanwhile"}, decidedByOpen...),
	} {
		for _, how := range []string{"fails", "panics"} {
			t.Run(fmt.Sprintf("%s %s", step, how), func(t *testing.T) {
				t.Parallel()
				s := newScripted()
				if how == "fails" {
					s.failing = step
				} else {
					s.panics = step
				}
				undecided, failure := s.place(t)
				var want []string
				for _, method := range methods {
					if !slices.Contains(decided, method) && method != "invalid" {
						want = append(want, method)
					}
				}
				wantMethods(t, "undecided", undecided, want...)
				if failure == "" {
					t.Error("it does not say why")
				}
			})
		}
	}
}
