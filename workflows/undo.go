package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

// undo is what would have to be undone if the order ended now. The order of undoing is fixed: Close,
// then Reverse, then Release. Nothing is reversed or released until the row reads REJECTED or
// CANCELLED, and nothing is undone if it reads CONFIRMED. Undos run detached from the workflow's
// cancellation, and until they succeed.
type undo struct {
	order      order.Order
	workflowID string
	before     Before

	reserved bool     // Redis may have a reservation
	refused  []string // SKUs of which it has none
	charged  bool     // the provider may have taken the money, on our request
	// uncharged: this workflow saw the charge declined, so that a row which it closes itself needs no
	// reversal.
	uncharged bool
}

func newUndo(ctx workflow.Context, o order.Order, before Before) *undo {
	return &undo{order: o, workflowID: workflow.GetInfo(ctx).WorkflowExecution.ID, before: before}
}

func (u *undo) mayBeReserved() { u.reserved = true }
func (u *undo) mayBeCharged()  { u.charged, u.uncharged = true, false }
func (u *undo) notCharged()    { u.charged, u.uncharged = false, true }

// toldNotCharged: a person has said so, to this workflow or before it asked the provider.
func (u *undo) toldNotCharged() { u.charged = false }

// reservedAs narrows down what may be reserved to what Redis answered. A try from before may still be on its way, and
// reserve after this one was refused: such an order counts as taken, so that its release blocks the late try.
func (u *undo) reservedAs(r order.Reservation) order.Reservation {
	if u.before.Tried && r.Refused() {
		r.Taken = true
	}
	u.reserved, u.refused = r.Taken, r.NotTaken()
	return r
}

// after ends an order whose step gave up: because the workflow was asked to cancel, or because the
// step failed in a way that no repeat can mend.
func (u *undo) after(ctx workflow.Context, cause error) (Result, error) {
	if temporal.IsCanceledError(cause) {
		result, err := u.all(ctx, order.Cancelled, order.ReasonRequested, "")
		if err == nil && result.Status == order.Cancelled {
			err = cause // Temporal then shows the workflow as cancelled
		}
		return result, err
	}
	return u.all(ctx, order.Rejected, order.ReasonFailed, rootMessage(cause))
}

// all closes the order and undoes what its row then says is to be undone.
func (u *undo) all(ctx workflow.Context, status order.Status, reason order.Reason, detail string) (Result, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	row, err := step(ctx, activities.Close, order.Closing{
		Order: u.order, Status: status, Reason: reason, Detail: detail, WorkflowID: u.workflowID,
	})
	switch {
	case err != nil:
		return Result{}, err
	case row.KeyReused:
		return u.foreign(ctx)
	case row.Status.Sold():
		return end(ctx, u.order, row)
	}
	return u.settle(ctx, row)
}

// settle pays what is owed for a closed order: its charge is reversed, its units are released. Whoever
// meets a closed row that is not settled does this, whatever he did himself.
func (u *undo) settle(ctx workflow.Context, row order.Row) (Result, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if u.owesReversal(row) {
		if err := u.reverse(ctx, row.ByHand); err != nil {
			return Result{}, err
		}
	}
	if u.reserved || !row.Settled {
		if _, err := step(ctx, activities.Release, row.Releasing(u.order, u.reserved, u.refused)); err != nil {
			return Result{}, err
		}
	}
	if !row.Settled {
		settled, err := step(ctx, activities.Settle, u.order.Key())
		if err != nil {
			return Result{}, err
		}
		row.OwesEvent = settled.OwesEvent
	}
	return end(ctx, u.order, row)
}

// reverse reverses the charge. Where a person has said that there is none, and this workflow knows no better, it is still
// asked for, which stops one that is on its way, but his word stands if the provider does not answer.
func (u *undo) reverse(ctx workflow.Context, word order.Answer) error {
	if word == order.NotCharged && !u.charged && !u.before.Tried {
		_, _ = fast(ctx, activities.Reverse, u.order.ID)
		return nil
	}
	_, err := step(ctx, activities.Reverse, u.order.ID)
	_, err = byHand(err)
	return err
}

// foreign ends an order whose id belongs to another: nothing of that one is touched, and what this one
// got in Redis before anybody knew is given back.
func (u *undo) foreign(ctx workflow.Context) (Result, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if u.reserved {
		if _, err := step(ctx, activities.Release, order.Releasing{Order: u.order, Foreign: true}); err != nil {
			return Result{}, err
		}
	}
	return Result{}, temporal.NewNonRetryableApplicationError(
		"order "+string(u.order.ID)+" is on record with other contents; nothing of it was touched", ErrorKeyReused, nil)
}

// owesReversal tells whether a charge may exist for a closed row. Another workflow may have sent one
// for a row that is not settled, and the batch before this one whatever the row says, unless this one wrote the row's end and knows better.
func (u *undo) owesReversal(row order.Row) bool {
	if u.charged {
		return true
	}
	wroteEnd := row.Changed && (u.uncharged || !row.Held)
	return (!row.Settled || u.before.Tried) && !wroteEnd
}
