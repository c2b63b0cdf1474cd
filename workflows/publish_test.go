package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
	"holdfast/workflows"
)

// telling has the journey's rows owe their events, and others told as the test says.
func (j *journey) telling(tell func() error) {
	j.commit = func(int) (order.Row, error) {
		return order.Row{Status: order.Confirmed, Changed: true, Held: true, OwesEvent: true}, nil
	}
	j.settle = func(int) (order.Row, error) { return order.Row{Status: order.Rejected, OwesEvent: true}, nil }
	script(j, activities.Publish, func(int, order.Key) (order.Row, error) { return order.Row{Settled: true}, tell() })
}

// TestOthersAreToldLast: of a sale once it is committed, and of any other end once nothing else is owed. A Kafka that does not
// answer holds nobody up.
func TestOthersAreToldLast(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func() error{
		"well": func() error { return nil },
		"away": func() error { return errors.New("connection refused") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := straight(t)
			j.telling(tell)
			j.end(t, order.Confirmed, "", "Reserve", "Open", "Charge", "Commit", "Publish")

			j = straight(t)
			j.telling(tell)
			j.charge = func(int, order.Charging) (order.Payment, error) {
				return order.Payment{Verdict: order.Declined, Reason: "no funds"}, nil
			}
			j.end(t, order.Rejected, order.ReasonPaymentDeclined, "Reserve", "Open", "Charge", "Close", "Release", "Settle", "Publish")
		})
	}
	// Who meets an order that is sold and of which others do not know tells them.
	j := straight(t)
	j.telling(func() error { return nil })
	j.open = func(int, order.Opening) (order.Row, error) {
		return order.Row{Status: order.HandedOff, OwesEvent: true}, nil
	}
	j.end(t, order.HandedOff, "", "Reserve", "Open", "Publish")
}

// TestABatchTellsOthersInOneCall, and ends as well if nobody is reached.
func TestABatchTellsOthersInOneCall(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{nil, errors.New("connection refused")} {
		orders, batch := ordersOf(t, 4)
		b := newBatch(t, func([]order.Order) (activities.BatchResult, error) {
			return activities.BatchResult{Unpublished: []int{0, 2, 3}}, nil
		})
		var told [][]order.Key
		b.RegisterActivityWithOptions(func(_ context.Context, keys []order.Key) ([]order.Outcome[order.Row], error) {
			told = append(told, keys)
			return make([]order.Outcome[order.Row], len(keys)), failure
		}, activity.RegisterOptions{Name: activities.Publish.Name})
		b.end(t, batch, workflows.BatchOutcome{Decided: 4})
		if len(told) != 1 || !slices.Equal(told[0], []order.Key{orders[0].Key(), orders[2].Key(), orders[3].Key()}) {
			t.Errorf("told of %+v", told)
		}
	}
}

// outbox is what others are still to be told.
type outbox struct {
	orders, receipts int
	fails            int // so many calls of Publish
	published        int
}

func (o *outbox) Unannounced(context.Context, []order.Key) ([]order.Announcement, error) {
	return nil, errors.New("not asked for")
}

func (o *outbox) OldestUnannounced(_ context.Context, _ time.Time, limit int) ([]order.Announcement, error) {
	owed := make([]order.Announcement, min(o.orders, limit))
	for i := range owed {
		owed[i].Events = make([]order.Event, 1)
	}
	return owed, nil
}

func (o *outbox) UnannouncedOf(context.Context, order.PageKey) ([]order.Announcement, error) {
	return nil, errors.New("not asked for")
}

func (o *outbox) Announce(_ context.Context, a []order.Announcement) ([]order.Row, error) {
	o.orders -= len(a)
	return make([]order.Row, len(a)), nil
}

func (o *outbox) UnannouncedReceipts(_ context.Context, limit int) ([]order.Event, error) {
	return make([]order.Event, min(o.receipts, limit)), nil
}

func (o *outbox) AnnounceReceipts(_ context.Context, events []order.Event) error {
	o.receipts -= len(events)
	return nil
}

func (o *outbox) Publish(_ context.Context, events []order.Event) error {
	if o.fails--; o.fails >= 0 {
		return errors.New("connection refused")
	}
	o.published += len(events)
	return nil
}

// TestWhatIsOwedWaitsInOneWorkflow until Kafka is back.
func TestWhatIsOwedWaitsInOneWorkflow(t *testing.T) {
	t.Parallel()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.RegisterWorkflowWithOptions(workflows.PublishEvents, workflow.RegisterOptions{Name: workflows.PublishEventsName})
	box := &outbox{orders: 1203, receipts: 7, fails: 5}
	(&activities.Publications{Announcements: box, Events: box, Metrics: activities.NewMetrics(prometheus.NewRegistry())}).Register(env)
	env.ExecuteWorkflow(workflows.PublishEventsName)
	var done activities.Owed
	if err := env.GetWorkflowResult(&done); err != nil {
		t.Fatal(err)
	}
	if !done.Done || box.orders != 0 || box.receipts != 0 || box.published != 1210 {
		t.Errorf("%+v, left is %+v", done, box)
	}
}
