package activities_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"holdfast/activities"
	"holdfast/order"
)

// ledger is a provider that decides by payment method, and a stock and an order database that answer
// what the test says. It writes down what it is asked.
type ledger struct {
	reservation order.Reservation
	mu          sync.Mutex
	calls       []string
	found       *order.Payment // what a look-up finds
	rows        []order.Row    // what Open answers
	stockErr    error
}

func (l *ledger) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, fmt.Sprintf(format, args...))
}

func (l *ledger) Charge(_ context.Context, _ order.ID, amount order.Amount, method string) (order.Payment, error) {
	l.note("charge %s", amount)
	switch method {
	case "hangs":
		return order.Payment{}, order.Failf(order.Unknown, "no answer")
	case "refuses":
		return order.Payment{}, order.Failf(order.Final, "no such account")
	case "takes-its-time":
		return order.Payment{Verdict: order.PaymentPending}, nil
	}
	return order.Payment{Verdict: order.Approved}, nil
}

func (l *ledger) LookUp(_ context.Context, _ order.ID, amount order.Amount) (*order.Payment, error) {
	l.note("look up %s", amount)
	return l.found, nil
}

func (l *ledger) Reverse(context.Context, order.ID) error { l.note("reverse"); return nil }

func (l *ledger) Open(context.Context, []order.Opening) ([]order.Row, error) { return l.rows, nil }

func (l *ledger) Commit(context.Context, []order.Key) ([]order.Row, error) { return l.rows, nil }

func (l *ledger) Conclude(context.Context, []order.Conclusion) ([]order.Row, error) {
	return l.rows, nil
}

func (l *ledger) Close(context.Context, []order.Closing) ([]order.Row, error) { return l.rows, nil }

func (l *ledger) Settle(context.Context, []order.Key) ([]order.Row, error) { return l.rows, nil }

func (l *ledger) Cancel(context.Context, []order.Key) ([]order.Row, error) { return l.rows, nil }

func (l *ledger) Resolve(context.Context, []order.Resolving) ([]order.Row, error) { return l.rows, nil }

func (l *ledger) Attend(context.Context, []order.Attention) ([]order.Row, error) { return l.rows, nil }

func (l *ledger) Reserve(context.Context, []order.Order) []order.Outcome[order.Reservation] {
	return []order.Outcome[order.Reservation]{order.Decided(l.reservation)}
}

func (l *ledger) Release(context.Context, []order.Releasing) []order.Outcome[order.Verdict] {
	return nil
}

func (l *ledger) Align(_ context.Context, held []order.Held) error {
	for _, h := range held {
		l.note("align %s from %d", strings.Join(h.Order.SKUs(), ","), h.Holds[0].From)
	}
	return l.stockErr
}

func (l *ledger) Forget(_ context.Context, skus []string) error {
	if len(skus) > 0 {
		l.note("forget %s", strings.Join(skus, ","))
	}
	return l.stockErr
}

// deadline is that of pending payments.
const deadline = 10 * time.Minute

func newOrder(t *testing.T, key, method string, price int64) order.Order {
	t.Helper()
	o, err := order.New("c-1", key, "EUR", method, []order.Line{{SKU: "mug", Quantity: 1, UnitPrice: price}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// run runs one step, fast or patient, on a batch.
func run[In, Out any](t *testing.T, l *ledger, step activities.Step[In, Out], fast bool, batch ...In) ([]order.Outcome[Out], error) {
	t.Helper()
	return runWith(t, activities.NewMetrics(prometheus.NewRegistry()), l, step, fast, batch...)
}

func runWith[In, Out any](t *testing.T, m *activities.Metrics, l *ledger, step activities.Step[In, Out], fast bool, batch ...In) ([]order.Outcome[Out], error) {
	t.Helper()
	return runOn(t, &activities.Activities{Stock: l, Orders: l, Payments: l, Metrics: m, KeyMemory: time.Hour, PaymentDeadline: deadline, DirectOpens: activities.NewDirectOpens(2)}, step, fast, batch...)
}

func runOn[In, Out any](t *testing.T, a *activities.Activities, step activities.Step[In, Out], fast bool, batch ...In) ([]order.Outcome[Out], error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	steps := registry{ActivityRegistry: env, functions: make(map[string]any)}
	a.Register(steps)
	var value converter.EncodedValue
	var err error
	if fast {
		value, err = env.ExecuteLocalActivity(steps.functions[step.Name], batch)
	} else {
		value, err = env.ExecuteActivity(step.Name, batch)
	}
	if err != nil {
		return nil, err
	}
	var outcomes []order.Outcome[Out]
	if err := value.Get(&outcomes); err != nil {
		t.Fatal(err)
	}
	return outcomes, nil
}

// registry also remembers the functions: the test environment runs local activities by these alone.
type registry struct {
	worker.ActivityRegistry
	functions map[string]any
}

func (r registry) RegisterActivityWithOptions(function any, options activity.RegisterOptions) {
	r.functions[options.Name] = function
	r.ActivityRegistry.RegisterActivityWithOptions(function, options)
}

func (l *ledger) took(t *testing.T, calls ...string) {
	t.Helper()
	if !slices.Equal(l.calls, calls) {
		t.Errorf("asked %q, want %q", l.calls, calls)
	}
}

func TestWhoIsNotSurelyTheFirstLooksTheChargeUp(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		name        string
		first, fast bool
		calls       []string
	}{
		{"first of all", true, true, []string{"charge 5 EUR"}},
		{"first try of the patient phase", true, false, []string{"look up 5 EUR", "charge 5 EUR"}},
		{"an order that was there before", false, true, []string{"look up 5 EUR", "charge 5 EUR"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := &ledger{}
			outcomes, err := run(t, l, activities.Charge, c.fast,
				order.Charging{Order: newOrder(t, "k", "tok", 5), OpenedAt: now, First: c.first})
			if err != nil || outcomes[0].Answer.Verdict != order.Approved {
				t.Errorf("got %+v, %v", outcomes, err)
			}
			l.took(t, c.calls...)
		})
	}
}

func TestAChargeThatIsFoundIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for _, verdict := range []order.Verdict{order.Approved, order.Declined} {
		l := &ledger{found: &order.Payment{Verdict: verdict}}
		outcomes, err := run(t, l, activities.Charge, false, order.Charging{Order: newOrder(t, "k", "tok", 5), OpenedAt: time.Now()})
		if err != nil || outcomes[0].Answer.Verdict != verdict {
			t.Errorf("got %+v, %v", outcomes, err)
		}
		l.took(t, "look up 5 EUR")
	}
}

func TestAPendingPaymentIsNotSentAgainAndHasADeadline(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		age   time.Duration
		first bool
		found *order.Payment
		calls []string
	}{
		{"the charge's own answer", 0, true, nil, []string{"charge 5 EUR"}},
		{"a look at it", time.Minute, false, &order.Payment{Verdict: order.PaymentPending}, []string{"look up 5 EUR"}},
		{"a look behind its deadline", time.Hour, false, &order.Payment{Verdict: order.PaymentPending}, []string{"look up 5 EUR"}},
		{"a look after the provider forgot the key", 2 * time.Hour, false, &order.Payment{Verdict: order.PaymentPending}, []string{"look up 5 EUR"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := &ledger{found: c.found}
			openedAt := time.Now().Add(-c.age)
			outcomes, err := run(t, l, activities.Charge, true,
				order.Charging{Order: newOrder(t, "k", "takes-its-time", 5), OpenedAt: openedAt, First: c.first})
			if err != nil {
				t.Fatal(err)
			}
			if got := outcomes[0].Answer; got.Verdict != order.PaymentPending || !got.DecideBy.Equal(openedAt.Add(deadline)) {
				t.Errorf("answered %+v, want pending until %s", got, openedAt.Add(deadline))
			}
			l.took(t, c.calls...)
		})
	}
}

func TestADecidedPaymentHasNoDeadline(t *testing.T) {
	t.Parallel()
	outcomes, err := run(t, &ledger{}, activities.Charge, true, order.Charging{Order: newOrder(t, "k", "tok", 5), OpenedAt: time.Now(), First: true})
	if err != nil || !outcomes[0].Answer.DecideBy.IsZero() {
		t.Errorf("answered %+v, %v", outcomes, err)
	}
}

func TestAChargeIsNeverSentOnceItsKeyMayBeForgotten(t *testing.T) {
	t.Parallel()
	old := time.Now().Add(-2 * time.Hour)
	for _, first := range []bool{true, false} {
		l := &ledger{}
		_, err := run(t, l, activities.Charge, false, order.Charging{Order: newOrder(t, "k", "tok", 5), OpenedAt: old, First: first})
		wantClass(t, err, order.Unknown)
		l.took(t, "look up 5 EUR")
	}
}

func TestAnOrderThatCostsNothingAsksNobody(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	outcomes, err := run(t, l, activities.Charge, true, order.Charging{Order: newOrder(t, "k", "hangs", 0)})
	if err != nil || outcomes[0].Answer.Verdict != order.Approved {
		t.Errorf("got %+v, %v", outcomes, err)
	}
	l.took(t)
}

func TestANeighbourThatHangsLeavesTheOthersDecided(t *testing.T) {
	t.Parallel()
	now := time.Now()
	outcomes, err := run(t, &ledger{}, activities.Charge, true,
		order.Charging{Order: newOrder(t, "a", "hangs", 5), OpenedAt: now, First: true},
		order.Charging{Order: newOrder(t, "b", "tok", 5), OpenedAt: now, First: true})
	if err != nil {
		t.Fatal(err)
	}
	if f := outcomes[0].Failure; f == nil || f.Class != order.Unknown {
		t.Errorf("the one that hangs has the outcome %+v", outcomes[0])
	}
	if outcomes[1].Failure != nil || outcomes[1].Answer.Verdict != order.Approved {
		t.Errorf("its neighbour has the outcome %+v", outcomes[1])
	}
}

func TestABatchWithoutAnyAnswerFailsWithItsClass(t *testing.T) {
	t.Parallel()
	for method, class := range map[string]order.Class{"hangs": order.Unknown, "refuses": order.Final} {
		_, err := run(t, &ledger{}, activities.Charge, true,
			order.Charging{Order: newOrder(t, "a", method, 5), OpenedAt: time.Now(), First: true})
		wantClass(t, err, class)
	}
}

func wantClass(t *testing.T, err error, class order.Class) {
	t.Helper()
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || failure.Type() != string(class) || failure.NonRetryable() != (class == order.Final) {
		t.Errorf("got %v, want a failure of class %s", err, class)
	}
}

func TestOpenCorrectsWhatRedisCountsWrong(t *testing.T) {
	t.Parallel()
	reserved := order.Reservation{Verdict: order.Reserved, Taken: true}
	refused := order.Reservation{Verdict: order.SoldOut}
	unreserved := order.Reservation{Verdict: order.Unreserved}
	holds := []order.Hold{{SKU: "mug", From: 7}}
	for _, c := range []struct {
		name        string
		reservation order.Reservation
		row         order.Row
		calls       []string
	}{
		{"a row that now holds the units", reserved, order.Row{Status: order.Pending, Changed: true, Held: true, Holds: holds}, []string{"align mug from 7"}},
		{"one that Redis did not reserve", unreserved, order.Row{Status: order.Pending, Changed: true, Held: true, Holds: holds}, []string{"align mug from 7"}},
		{"a row that was there before", reserved, order.Row{Status: order.Pending, Held: true, Holds: holds}, []string{"align mug from 7"}},
		{"a row whose units are sold", reserved, order.Row{Status: order.Confirmed, Held: true, Holds: holds}, []string{"align mug from 7"}},
		{"units that the guard refused", reserved, order.Row{Status: order.Rejected, Changed: true}, []string{"forget mug"}},
		{"units beyond the customer's limit", reserved, order.Row{Status: order.Rejected, Reason: order.ReasonLimitExceeded, Changed: true}, nil},
		{"a row that was closed before", reserved, order.Row{Status: order.Rejected}, nil},
		{"another order's row", reserved, order.Row{KeyReused: true}, nil},
		{"a refusal by Redis", refused, order.Row{Status: order.Rejected, Changed: true, Settled: true}, nil},
		{"a refusal without Redis", unreserved, order.Row{Status: order.Rejected, Changed: true, Settled: true}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			opening := order.Opening{Order: newOrder(t, "k", "tok", 5), Reservation: c.reservation}
			l := &ledger{rows: []order.Row{c.row}}
			if _, err := run(t, l, activities.Open, true, opening); err != nil {
				t.Error(err)
			}
			l.took(t, c.calls...)
			if c.calls == nil {
				return
			}
			l = &ledger{rows: []order.Row{c.row}, stockErr: order.Failf(order.Transient, "connection refused")}
			_, err := run(t, l, activities.Open, true, opening)
			wantClass(t, err, order.Transient) // the row is written, and Redis is still wrong
		})
	}
}

func TestOnlyAChangeIsCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := activities.NewMetrics(registry)
	confirmed := order.Row{Status: order.Confirmed, Changed: true}
	repeat := order.Row{Status: order.Confirmed}
	for _, row := range []order.Row{confirmed, repeat} {
		if _, err := runWith(t, m, &ledger{rows: []order.Row{row}}, activities.Commit, true, order.Key{}); err != nil {
			t.Fatal(err)
		}
	}
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP holdfast_orders_total Orders that reached a status, by status and reason. An order counts in each status that it goes through.
# TYPE holdfast_orders_total counter
holdfast_orders_total{reason="",status="CONFIRMED"} 1
`), "holdfast_orders_total")
	if err != nil {
		t.Error(err)
	}
}

// A try whose answer was lost may reserve after its repeat was refused, unless something blocks it.
func TestARefusalAfterALostTryHasToBeReleased(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		fast        bool
		reservation order.Reservation
		taken       bool
	}{
		{"the first try", true, order.Reservation{Verdict: order.SoldOut}, false},
		{"a later try", false, order.Reservation{Verdict: order.SoldOut}, true},
		{"the first try for a customer who has enough", true, order.Reservation{Verdict: order.LimitExceeded}, false},
		{"a later try for a customer who has enough", false, order.Reservation{Verdict: order.LimitExceeded}, true},
		{"a later try that went on without Redis", false, order.Reservation{Verdict: order.Unreserved}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := run(t, &ledger{reservation: c.reservation}, activities.Reserve, c.fast, newOrder(t, "k", "tok", 5))
			if err != nil || got[0].Answer.Taken != c.taken || got[0].Answer.Verdict != c.reservation.Verdict {
				t.Errorf("answered %+v, %v, want taken %v", got, err, c.taken)
			}
		})
	}
}
