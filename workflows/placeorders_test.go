package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
	"holdfast/workflows"
)

// batched is a run of PlaceOrders whose activity answers what the test says.
type batched struct {
	*testsuite.TestWorkflowEnvironment

	orders  []order.Order // that the activity got
	tries   int
	started []string // ids of children
}

func newBatch(t *testing.T, place func(orders []order.Order) (activities.BatchResult, error)) *batched {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	b := &batched{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment()}
	b.SetTestTimeout(time.Minute)
	configured.Register(b)
	b.RegisterActivityWithOptions(func(_ context.Context, orders []order.Order) (activities.BatchResult, error) {
		b.orders = orders
		b.tries++
		return place(orders)
	}, activity.RegisterOptions{Name: activities.PlaceBatch})
	b.OnWorkflow(workflows.PlaceOrderName, mock.Anything, mock.Anything, workflows.Before{Tried: true}).Return(workflows.Result{}, nil)
	b.SetOnChildWorkflowStartedListener(func(child *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		b.started = append(b.started, child.WorkflowExecution.ID)
	})
	return b
}

// end runs the batch and compares its outcome.
func (b *batched) end(t *testing.T, batch workflows.Batch, want workflows.BatchOutcome) {
	t.Helper()
	b.ExecuteWorkflow(workflows.PlaceOrdersName, batch)
	var outcome workflows.BatchOutcome
	if err := b.GetWorkflowResult(&outcome); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(outcome, want) {
		t.Errorf("ended as %+v, want %+v", outcome, want)
	}
}

func ordersOf(t *testing.T, n int) (orders []order.Order, batch workflows.Batch) {
	t.Helper()
	for i := range n {
		o, err := order.New("c-1", fmt.Sprintf("k-%d", i), "EUR", "tok_ok", []order.Line{{SKU: "mug", Quantity: 1, UnitPrice: 5}})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		orders, batch = append(orders, o), append(batch, text)
	}
	return orders, batch
}

func TestABatchThatIsDecidedStartsNothing(t *testing.T) {
	t.Parallel()
	b := newBatch(t, func([]order.Order) (activities.BatchResult, error) { return activities.BatchResult{}, nil })
	_, batch := ordersOf(t, 3)
	b.end(t, batch, workflows.BatchOutcome{Decided: 3})
	if len(b.started) != 0 {
		t.Errorf("started %v", b.started)
	}
}

func TestUndecidedOrdersGoOnByThemselves(t *testing.T) {
	t.Parallel()
	b := newBatch(t, func([]order.Order) (activities.BatchResult, error) {
		return activities.BatchResult{Undecided: []int{1, 3}, Failure: "no answer"}, nil
	})
	orders, batch := ordersOf(t, 4)
	b.end(t, batch, workflows.BatchOutcome{Decided: 2, HandedOn: []int{1, 3}})
	if want := []string{workflows.WorkflowID(orders[1].ID), workflows.WorkflowID(orders[3].ID)}; !slices.Equal(b.started, want) {
		t.Errorf("started %v, want %v", b.started, want)
	}
}

// TestABatchWithoutAnAnswerIsHandedOnAsAWhole, after one try: each of its steps had its own.
func TestABatchWithoutAnAnswerIsHandedOnAsAWhole(t *testing.T) {
	t.Parallel()
	b := newBatch(t, func([]order.Order) (activities.BatchResult, error) {
		return activities.BatchResult{}, errors.New("panic: a bug")
	})
	_, batch := ordersOf(t, 3)
	b.end(t, batch, workflows.BatchOutcome{HandedOn: []int{0, 1, 2}})
	if len(b.started) != 3 || b.tries != 1 {
		t.Errorf("started %v after %d tries", b.started, b.tries)
	}
}

// TestAnOrderThatIsCarriedAlreadyNeedsNoOther: its workflow runs.
func TestAnOrderThatIsCarriedAlreadyNeedsNoOther(t *testing.T) {
	t.Parallel()
	b := newBatch(t, func([]order.Order) (activities.BatchResult, error) {
		return activities.BatchResult{Undecided: []int{0, 1}}, nil
	})
	_, batch := ordersOf(t, 2)
	batch[1] = batch[0] // the second of them finds the first
	b.end(t, batch, workflows.BatchOutcome{HandedOn: []int{0, 1}})
}

// TestAnOrderThatCannotBeReadHarmsOnlyItself: the activity is told of it as of an order without contents, which is
// invalid.
func TestAnOrderThatCannotBeReadHarmsOnlyItself(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		b := newBatch(t, func([]order.Order) (activities.BatchResult, error) {
			if fails {
				return activities.BatchResult{}, errors.New("panic: a bug")
			}
			return activities.BatchResult{Undecided: []int{3}, Invalid: []int{0, 2, 4}}, nil
		})
		orders, batch := ordersOf(t, 2)
		mixed := workflows.Batch{
			json.RawMessage(`{"id":7,"customer_id":"c"}`), batch[0], json.RawMessage(`null`), batch[1], json.RawMessage(`"order"`),
		}
		want := workflows.BatchOutcome{Decided: 1, HandedOn: []int{3}, Invalid: []int{0, 2, 4}}
		if fails {
			want.Decided, want.HandedOn = 0, []int{1, 3}
		}
		b.end(t, mixed, want)
		if len(b.orders) != 5 || b.orders[0].CustomerID != "" || b.orders[1].ID != orders[0].ID {
			t.Errorf("placed %+v", b.orders)
		}
		if !slices.Contains(b.started, workflows.WorkflowID(orders[1].ID)) || len(b.started) != len(want.HandedOn) {
			t.Errorf("handed on %v", b.started)
		}
	}
}

// TestABatchIgnoresCancellation, and hands on what is undecided.
func TestABatchIgnoresCancellation(t *testing.T) {
	t.Parallel()
	var b *batched
	b = newBatch(t, func([]order.Order) (activities.BatchResult, error) {
		b.CancelWorkflow()
		return activities.BatchResult{Undecided: []int{0}}, nil
	})
	_, batch := ordersOf(t, 2)
	b.end(t, batch, workflows.BatchOutcome{Decided: 1, HandedOn: []int{0}})
	if len(b.started) != 1 {
		t.Errorf("started %v", b.started)
	}
}

// TestAnOrderThatWasHandedOnUndoesWhatItsBatchMayHaveDone although it sees no sign of it itself.
func TestAnOrderThatWasHandedOnUndoesWhatItsBatchMayHaveDone(t *testing.T) {
	t.Parallel()
	ends := func(t *testing.T, j *journey, calls ...string) {
		t.Helper()
		j.ExecuteWorkflow(workflows.PlaceOrderName, newOrder(t), workflows.Before{Tried: true})
		if err := j.GetWorkflowError(); err != nil {
			t.Fatal(err)
		}
		j.took(t, calls...)
	}
	t.Run("a reservation that is on its way", func(t *testing.T) {
		t.Parallel()
		j := straight(t)
		j.reserve = func(int) (order.Reservation, error) {
			return order.Reservation{Verdict: order.SoldOut, SKUs: []string{"mug"}}, nil
		}
		j.open = func(_ int, o order.Opening) (order.Row, error) {
			if !o.Reservation.Taken || !o.Reservation.Refused() || !o.TakesOver {
				t.Errorf("open is told %+v", o)
			}
			return order.Row{Status: order.Rejected, Reason: order.ReasonSoldOut, Detail: "mug", Changed: true}, nil
		}
		j.release = func(_ int, r order.Releasing) error {
			if !r.Taken {
				t.Error("a late reservation is not blocked")
			}
			return nil
		}
		ends(t, j, "Reserve", "Open", "Release", "Settle")
	})
	t.Run("a charge of an order that was settled meanwhile", func(t *testing.T) {
		t.Parallel()
		j := straight(t)
		j.open = func(int, order.Opening) (order.Row, error) {
			return order.Row{Status: order.Cancelled, Held: true, Settled: true}, nil
		}
		ends(t, j, "Reserve", "Open", "Reverse", "Release")
	})
}
