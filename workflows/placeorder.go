// Package workflows carries orders to their ends. It reads as the business does and knows the steps
// only by the names that package activities gives them: it imports order, activities and the Temporal
// SDK, never Redis, gorm or HTTP. Programs and app import it to register and to start workflows.
package workflows

import (
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

// PlaceOrder is the saga for one order: reserve its units, open it, charge the customer, commit. It
// ends when the order has reached its definite end and nothing is owed. Several workflows may carry
// the same order at once; the row in the order database decides, and all of them end with what it says.
//
// Each step's undo is registered before the step is tried, since an ambiguous failure may have had
// its effect.
func (w Workflows) PlaceOrder(ctx workflow.Context, o order.Order, before Before) (Result, error) {
	if err := o.Validate(); err != nil {
		return Result{}, invalidOrder(err)
	}
	ctx, err := w.carrying(ctx, o)
	if err != nil {
		return Result{}, err
	}
	undo := newUndo(ctx, o, before)

	undo.mayBeReserved()
	reservation, err := step(ctx, activities.Reserve, o)
	if err != nil {
		return undo.after(ctx, err)
	}
	reservation = undo.reservedAs(reservation)

	row, err := step(ctx, activities.Open, order.Opening{
		Order: o, Reservation: reservation, WorkflowID: undo.workflowID, TakesOver: before.Tried,
	})
	switch {
	case err != nil:
		return undo.after(ctx, err)
	case row.KeyReused:
		return undo.foreign(ctx)
	case row.Status.Sold():
		return end(ctx, o, row)
	case row.Status.Closed():
		return undo.settle(ctx, row)
	}

	undo.mayBeCharged()
	payment, err := chargeUntilDecided(ctx, order.Charging{Order: o, OpenedAt: row.CreatedAt, First: row.Changed}, row.ByHand)
	switch {
	case err != nil:
		return undo.after(ctx, err)
	case payment.Verdict == order.Declined:
		undo.notCharged()
		return undo.all(ctx, order.Rejected, order.ReasonPaymentDeclined, payment.Reason)
	case payment.Verdict == order.SettledNotCharged:
		undo.toldNotCharged()
		return undo.all(ctx, order.Rejected, order.ReasonNotCharged, "")
	case payment.Verdict == order.PaymentPending:
		return undo.all(ctx, order.Rejected, order.ReasonPaymentExpired, "not decided by "+clock(payment.DecideBy))
	}

	row, err = step(ctx, activities.Commit, o.Key())
	switch {
	case err != nil:
		return undo.after(ctx, err)
	case row.Missing:
		return undo.all(ctx, order.Rejected, order.ReasonRecordLost, "the order's row was gone at the commit")
	case row.Status.Closed():
		return undo.settle(ctx, row)
	}
	return end(ctx, o, row)
}

// Before is what was done for an order before the workflow that carries it began. Nothing, if it is not given.
type Before struct {
	// Tried: a batch tried to place the order and has left it undecided. It may have reserved and charged.
	Tried bool `json:"tried,omitempty"`
}
