package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

// CancelOrder cancels an order that the warehouse does not have yet, wherever it stands: it is marked CANCELLED, its units
// become available again, its charge is reversed. It ends with what the row says, which for an order that was rejected
// or handed off before is no cancellation.
//
// Whoever carries the order meanwhile is asked to give it up, finds it closed, and undoes what he did. A cancellation itself
// is not cancelled: what was asked for is carried out.
func (w Workflows) CancelOrder(ctx workflow.Context, o order.Order) (Result, error) {
	if err := o.Validate(); err != nil {
		return Result{}, invalidOrder(err)
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	ctx, err := w.carrying(ctx, o)
	if err != nil {
		return Result{}, err
	}
	undo := newUndo(ctx, o, Before{})
	row, err := step(ctx, activities.Cancel, o.Key())
	switch {
	case err != nil:
		return Result{}, err
	case row.Missing:
		return Result{}, temporal.NewNonRetryableApplicationError("there is no order "+string(o.ID)+" on record", ErrorMissing, nil)
	case row.KeyReused:
		return undo.foreign(ctx)
	case !row.Status.Closed():
		return end(ctx, o, row)
	}
	if row.Status == order.Cancelled && !row.Settled {
		stopCharging(ctx, o.ID)
	}
	return undo.settle(ctx, row)
}

// stopCharging has the workflow that may be carrying the order give it up, now that its row is closed: one that waits for the
// provider would charge when that is back, perhaps after everything was settled. An error means that none runs.
func stopCharging(ctx workflow.Context, id order.ID) {
	_ = workflow.RequestCancelExternalWorkflow(ctx, WorkflowID(id), "").Get(ctx, nil)
}
