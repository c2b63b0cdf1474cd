package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
	"holdfast/workflows"
)

// began is when the pages that were left were assigned.
var began = time.Now().UTC().Truncate(time.Second)

// dock is pages with a warehouse behind them. It writes down what it was asked for.
type dock struct {
	orders  int               // that are to be handed off
	left    []order.PageKey   // by earlier hand-offs
	old     int               // the first of these were assigned an hour ago
	asked   []order.PageKey   // of these, those that the warehouse did not take
	refuses map[string]string // pages, by name, that the warehouse does not take
	fails   func(page order.PageKey, try int) error

	assigned  map[order.PageKey]int
	delivered map[order.PageKey]bool
	refused   map[order.PageKey]string
	tries     map[order.PageKey]int
	budgets   map[order.PageKey][]time.Duration // of each try
	calls     []string
	cutoff    time.Time
}

func (d *dock) Assign(_ context.Context, key order.PageKey, cutoff time.Time, limit int) error {
	d.cutoff = cutoff
	if d.assigned[key] == 0 {
		d.assigned[key] = min(d.orders, limit)
		d.orders -= d.assigned[key]
	}
	return nil
}

func (d *dock) Manifest(_ context.Context, key order.PageKey) (order.Manifest, *order.Delivery, error) {
	if d.assigned[key] == 0 {
		return order.Manifest{}, &order.Delivery{PageKey: key}, nil
	}
	return order.Manifest{PageKey: key, Orders: make([]order.Parcel, d.assigned[key])}, nil, nil
}

func (d *dock) Deliver(_ context.Context, key order.PageKey, rejected []order.Refusal) (order.Delivery, error) {
	d.delivered[key] = true
	n := d.assigned[key]
	return order.Delivery{PageKey: key, Orders: n, HandedOff: n - len(rejected), Rejected: len(rejected)}, nil
}

func (d *dock) Refuse(_ context.Context, key order.PageKey, problem string) (order.Delivery, error) {
	d.refused[key] = problem
	return order.Delivery{PageKey: key, Orders: d.assigned[key], Refused: problem}, nil
}

func (d *dock) Undelivered(_ context.Context, after order.PagePlace, limit int) ([]order.PagePlace, error) {
	var places []order.PagePlace
	for i, key := range d.left {
		at := began.Add(time.Duration(i) * time.Millisecond)
		if i < d.old {
			at = at.Add(-time.Hour)
		}
		if at.After(after.AssignedAt) && len(places) < limit {
			places = append(places, order.PagePlace{PageKey: key, AssignedAt: at, Problem: slices.Contains(d.asked, key)})
		}
	}
	return places, nil
}

func (d *dock) CountUnassigned(_ context.Context, cutoff time.Time, _ int) (int, error) {
	d.cutoff = cutoff
	return d.orders, nil
}

// house is the warehouse of a dock.
type house struct{ *dock }

func (h house) Deliver(ctx context.Context, m order.Manifest) ([]order.Refusal, error) {
	h.tries[m.PageKey]++
	h.budgets[m.PageKey] = append(h.budgets[m.PageKey], activity.GetInfo(ctx).ScheduleToCloseTimeout)
	h.calls = append(h.calls, fmt.Sprintf("%s with %d", m.PageKey, len(m.Orders)))
	if h.fails != nil {
		if err := h.fails(m.PageKey, h.tries[m.PageKey]); err != nil {
			return nil, err
		}
	}
	if why := h.refuses[m.PageKey.String()]; why != "" {
		return nil, order.Failf(order.Final, "%s", why)
	}
	return nil, nil
}

func (d *dock) run(t *testing.T, in workflows.HandOffInput, adapt ...func(*testsuite.TestWorkflowEnvironment)) (*testsuite.TestWorkflowEnvironment, string) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetWorkflowRunTimeout(240 * time.Hour)
	var id string
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.HandOffInput) (order.HandOff, error) {
		id = workflow.GetInfo(ctx).FirstRunID
		return workflows.HandOff(ctx, in)
	}, workflow.RegisterOptions{Name: workflows.HandOffName})
	d.delivered, d.tries, d.refused = make(map[order.PageKey]bool), make(map[order.PageKey]int), make(map[order.PageKey]string)
	d.budgets = make(map[order.PageKey][]time.Duration)
	if d.assigned == nil {
		d.assigned = make(map[order.PageKey]int)
	}
	(&activities.HandOffs{Pages: d, Warehouse: house{d}, PageSize: 500, Publications: &activities.Publications{}, Metrics: activities.NewHandOffMetrics(prometheus.NewRegistry())}).Register(env)
	for _, a := range adapt {
		a(env)
	}
	env.ExecuteWorkflow(workflows.HandOffName, in)
	return env, id
}

func resultOf(t *testing.T, env *testsuite.TestWorkflowEnvironment) (done order.HandOff) {
	t.Helper()
	if err := env.GetWorkflowResult(&done); err != nil {
		t.Fatal(err)
	}
	return done
}

func TestAHandOffGoesPageByPageAndWhatWasLeftComesFirst(t *testing.T) {
	t.Parallel()
	left := order.PageKey{HandOff: "yesterday", Page: 7}
	d := &dock{orders: 1201, left: []order.PageKey{left}, assigned: map[order.PageKey]int{left: 3}}
	cutoff := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	env, id := d.run(t, workflows.HandOffInput{Cutoff: cutoff})
	done := resultOf(t, env)
	want := []string{"yesterday:7 with 3", id + ":1 with 500", id + ":2 with 500", id + ":3 with 201"}
	if !slices.Equal(d.calls, want) {
		t.Errorf("delivered %q, want %q", d.calls, want)
	}
	if done.ID != id || done.Pages != 4 || done.HandedOff != 1204 || done.Orders != 1204 || !done.Cutoff.Equal(cutoff) || !d.cutoff.Equal(cutoff) {
		t.Errorf("%+v, assigned up to %s", done, d.cutoff)
	}
	answer, err := env.QueryWorkflow(workflows.HandOffProgress)
	if err != nil {
		t.Fatal(err)
	}
	var progress order.HandOff
	if err := answer.Get(&progress); err != nil || progress.HandedOff != 1204 {
		t.Errorf("the progress is %+v, %v", progress, err)
	}
}

// TestTheCutoffIsTheTimeOfTheSchedule, however late the run begins.
func TestTheCutoffIsTheTimeOfTheSchedule(t *testing.T) {
	t.Parallel()
	nominal := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	d := &dock{orders: 1}
	env, _ := d.run(t, workflows.HandOffInput{}, func(env *testsuite.TestWorkflowEnvironment) {
		env.SetStartTime(nominal.Add(5 * time.Hour))
		err := env.SetTypedSearchAttributesOnStart(temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyTime("TemporalScheduledStartTime").ValueSet(nominal)))
		if err != nil {
			t.Fatal(err)
		}
	})
	if done := resultOf(t, env); !done.Cutoff.Equal(nominal) || !d.cutoff.Equal(nominal) {
		t.Errorf("the cutoff is %s, and of the page %s, want %s", done.Cutoff, d.cutoff, nominal)
	}
	d = &dock{}
	env, _ = d.run(t, workflows.HandOffInput{}, func(env *testsuite.TestWorkflowEnvironment) { env.SetStartTime(nominal) })
	if done := resultOf(t, env); !done.Cutoff.Equal(nominal) || done.Pages != 0 {
		t.Errorf("started by hand it is %+v", done)
	}
}

// TestARefusedPageHoldsNoOtherUp: it is left, and said.
func TestARefusedPageHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	bad := order.PageKey{HandOff: "yesterday", Page: 1}
	d := &dock{orders: 2, left: []order.PageKey{bad}, assigned: map[order.PageKey]int{bad: 3}, refuses: map[string]string{"yesterday:1": "we are closed"}}
	env, id := d.run(t, workflows.HandOffInput{})
	done := resultOf(t, env)
	if !slices.Equal(done.Refused, []order.PageKey{bad}) || done.Failure != "we are closed" || done.HandedOff != 2 || d.delivered[bad] {
		t.Errorf("%+v, delivered %v", done, d.delivered)
	}
	if !d.delivered[order.PageKey{HandOff: id, Page: 1}] {
		t.Error("the other page is not delivered")
	}
}

// TestAWarehouseThatIsDownIsWaitedFor: no try is the last.
func TestAWarehouseThatIsDownIsWaitedFor(t *testing.T) {
	t.Parallel()
	d := &dock{orders: 501, fails: func(page order.PageKey, try int) error {
		if page.Page == 1 && try < 10 {
			return errors.New("connection refused")
		}
		return nil
	}}
	env, id := d.run(t, workflows.HandOffInput{})
	if done := resultOf(t, env); done.HandedOff != 501 {
		t.Errorf("%+v", done)
	}
	if d.tries[order.PageKey{HandOff: id, Page: 1}] != 10 {
		t.Errorf("tried %v", d.tries)
	}
}

// TestAPageWithoutAnAnswerHoldsNoOtherUp: after a while a person is asked, the others go first, and it comes again at the end.
func TestAPageWithoutAnAnswerHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	stuck := order.PageKey{HandOff: "yesterday", Page: 1}
	d := &dock{orders: 2, left: []order.PageKey{stuck}, assigned: map[order.PageKey]int{stuck: 3}}
	d.fails = func(page order.PageKey, try int) error {
		if page == stuck && try <= 25 { // the test environment makes ten tries of an activity
			return errors.New("no answer")
		}
		return nil
	}
	env, id := d.run(t, workflows.HandOffInput{})
	done := resultOf(t, env)
	if done.HandedOff != 5 || len(done.Refused) != 0 || !d.delivered[stuck] {
		t.Errorf("%+v, delivered %v", done, d.delivered)
	}
	if d.refused[stuck] != "no answer: no answer" {
		t.Errorf("a person is told %v", d.refused)
	}
	if want := []time.Duration{15 * time.Minute, 3 * time.Minute}; !slices.Equal(slices.Compact(d.budgets[stuck]), want) {
		t.Errorf("its tries had %v, want first %v", d.budgets[stuck], want)
	}
	if other := slices.Index(d.calls, id+":1 with 2"); other < 0 || other > 12 {
		t.Errorf("the other page was the call %d of %q", other, d.calls)
	}
}

// TestWhatTheWarehouseDidNotTakeComesLast, also if that was yesterday, and what is old enough for that: today's orders do not wait for it
// once more.
func TestWhatTheWarehouseDidNotTakeComesLast(t *testing.T) {
	t.Parallel()
	old, stuck, left := order.PageKey{HandOff: "before", Page: 1}, order.PageKey{HandOff: "yesterday", Page: 1}, order.PageKey{HandOff: "yesterday", Page: 2}
	d := &dock{
		orders: 2, left: []order.PageKey{old, stuck, left}, old: 1, asked: []order.PageKey{stuck},
		assigned: map[order.PageKey]int{old: 4, stuck: 3, left: 1},
	}
	env, id := d.run(t, workflows.HandOffInput{})
	if done := resultOf(t, env); done.HandedOff != 10 {
		t.Errorf("%+v", done)
	}
	if want := []string{"yesterday:2 with 1", id + ":1 with 2", "before:1 with 4", "yesterday:1 with 3"}; !slices.Equal(d.calls, want) {
		t.Errorf("the calls were %q, want %q", d.calls, want)
	}
	if d.refused[old] != "it does not have it after 15m0s" {
		t.Errorf("a person is told %q", d.refused)
	}
}

// TestHoweverManyPagesAreLeftAllCome: no number of refused ones keeps others from their turn.
func TestHoweverManyPagesAreLeftAllCome(t *testing.T) {
	t.Parallel()
	d := &dock{orders: 1, assigned: make(map[order.PageKey]int), refuses: make(map[string]string)}
	for i := range 700 {
		key := order.PageKey{HandOff: "yesterday", Page: i + 1}
		d.left = append(d.left, key)
		d.assigned[key] = 1
		if i < 300 {
			d.refuses[key.String()] = "we are closed"
		}
	}
	env, _ := d.run(t, workflows.HandOffInput{})
	again, ok := errors.AsType[*workflow.ContinueAsNewError](env.GetWorkflowError())
	if !ok {
		t.Fatalf("it ended with %v", env.GetWorkflowError())
	}
	var next workflows.HandOffInput
	if err := converter.GetDefaultDataConverter().FromPayloads(again.Input, &next); err != nil {
		t.Fatal(err)
	}
	first := len(d.delivered)
	env, _ = d.run(t, next)
	if done := resultOf(t, env); done.HandedOff != 401 || first+len(d.delivered) != 401 {
		t.Errorf("%+v after %d and %d delivered", done, first, len(d.delivered))
	}
}

func TestADryRunOnlyCounts(t *testing.T) {
	t.Parallel()
	d := &dock{orders: 1201, left: []order.PageKey{{HandOff: "yesterday", Page: 7}}}
	env, _ := d.run(t, workflows.HandOffInput{DryRun: true})
	if done := resultOf(t, env); done.Orders != 1201 || !done.DryRun || done.HandedOff != 0 || len(d.calls) != 0 || len(d.assigned) != 0 {
		t.Errorf("%+v, asked for %q, assigned %v", done, d.calls, d.assigned)
	}
}

// TestALongHandOffBeginsItsHistoryAnew, and goes on where it was.
func TestALongHandOffBeginsItsHistoryAnew(t *testing.T) {
	t.Parallel()
	d := &dock{orders: 500*500 + 7}
	env, id := d.run(t, workflows.HandOffInput{})
	again, ok := errors.AsType[*workflow.ContinueAsNewError](env.GetWorkflowError())
	if !ok {
		t.Fatalf("it ended with %v", env.GetWorkflowError())
	}
	var next workflows.HandOffInput
	if err := converter.GetDefaultDataConverter().FromPayloads(again.Input, &next); err != nil {
		t.Fatal(err)
	}
	second := &dock{orders: 7}
	env, _ = second.run(t, next)
	done := resultOf(t, env)
	if done.ID != id || done.HandedOff != 500*500+7 || !slices.Equal(second.calls, []string{id + ":501 with 7"}) {
		t.Errorf("%+v after %q", done, second.calls)
	}
}
