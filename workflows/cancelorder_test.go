package workflows_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"

	"holdfast/order"
	"holdfast/workflows"
)

var cancelled = order.Row{Status: order.Cancelled, Reason: order.ReasonRequested, Changed: true, Held: true}

// cancelling is a journey of CancelOrder. asked counts how often whoever carries the order is asked to give it up.
func cancelling(t *testing.T, row order.Row) (j *journey, asked *int) {
	t.Helper()
	j, asked = straight(t), new(int)
	j.cancel = func(int) (order.Row, error) { return row, nil }
	j.OnRequestCancelExternalWorkflow(mock.Anything, workflows.WorkflowID(newOrder(t).ID), "").
		Run(func(mock.Arguments) {
			*asked++
			j.calls = append(j.calls, "ask to give up")
		}).Return(errors.New("there is no such workflow"))
	return j, asked
}

func (j *journey) cancels(t *testing.T, status order.Status, calls ...string) {
	t.Helper()
	j.ExecuteWorkflow(workflows.CancelOrderName, newOrder(t))
	var result workflows.Result
	if err := j.GetWorkflowResult(&result); err != nil || result.Status != status {
		t.Errorf("ended as %+v, %v, want %s", result, err, status)
	}
	j.took(t, calls...)
}

func TestACancelledOrderIsReversedThenReleased(t *testing.T) {
	t.Parallel()
	row := cancelled
	row.Holds = []order.Hold{{SKU: "mug", From: 3, Until: 5}}
	j, asked := cancelling(t, row)
	j.release = func(_ int, r order.Releasing) error {
		if !slices.Equal(r.Holds, row.Holds) || !r.Taken {
			t.Errorf("release is told %+v", r)
		}
		return nil
	}
	j.cancels(t, order.Cancelled, "Cancel", "ask to give up", "Reverse", "Release", "Settle")
	if *asked != 1 {
		t.Errorf("whoever carries the order was asked %d times", *asked)
	}
}

func TestACancellationTakesUpWhatAnotherLeft(t *testing.T) {
	t.Parallel()
	row := cancelled
	row.Changed = false
	j, asked := cancelling(t, row)
	j.cancels(t, order.Cancelled, "Cancel", "ask to give up", "Reverse", "Release", "Settle")
	row.Settled = true
	again, _ := cancelling(t, row)
	again.cancels(t, order.Cancelled, "Cancel")
	if *asked != 1 {
		t.Errorf("whoever carries an order that is not settled was asked %d times", *asked)
	}
}

func TestAnOrderThatEndedBeforeIsNotCancelled(t *testing.T) {
	t.Parallel()
	j, _ := cancelling(t, order.Row{Status: order.HandedOff, Held: true, Settled: true})
	j.cancels(t, order.HandedOff, "Cancel")
	j, _ = cancelling(t, order.Row{Status: order.Rejected, Reason: order.ReasonPaymentDeclined, Held: true, Settled: true})
	j.cancels(t, order.Rejected, "Cancel")
	j, _ = cancelling(t, order.Row{Status: order.Rejected, Reason: order.ReasonPaymentDeclined, Held: true})
	j.cancels(t, order.Rejected, "Cancel", "Reverse", "Release", "Settle")
}

func TestACancellationOfNoOrderChangesNothing(t *testing.T) {
	t.Parallel()
	for errorType, row := range map[string]order.Row{
		workflows.ErrorMissing:   {Missing: true},
		workflows.ErrorKeyReused: {KeyReused: true},
	} {
		j, _ := cancelling(t, row)
		j.ExecuteWorkflow(workflows.CancelOrderName, newOrder(t))
		failure, ok := errors.AsType[*temporal.ApplicationError](j.GetWorkflowError())
		if !ok || failure.Type() != errorType {
			t.Errorf("want %s, got %v", errorType, j.GetWorkflowError())
		}
		j.took(t, "Cancel")
	}
}

// TestACancellationIsNotCancelled also not while it has no answer.
func TestACancellationIsNotCancelled(t *testing.T) {
	t.Parallel()
	j, _ := cancelling(t, cancelled)
	j.cancel = func(try int) (order.Row, error) {
		j.CancelWorkflow()
		return cancelled, fails(4, try)
	}
	j.reverse = func(try int) error { j.CancelWorkflow(); return fails(4, try) }
	j.cancels(t, order.Cancelled, "Cancel", "Cancel", "Cancel", "Cancel", "Cancel", "ask to give up",
		"Reverse", "Reverse", "Reverse", "Reverse", "Reverse", "Release", "Settle")
}
