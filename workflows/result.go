package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/order"
)

// Result is how an order ended.
type Result struct {
	OrderID order.ID     `json:"order_id"`
	Status  order.Status `json:"status"`
	Reason  order.Reason `json:"reason,omitempty"`
	Detail  string       `json:"detail,omitempty"`
}

// Types of the errors with which the workflows of an order fail. They then have changed nothing.
const (
	ErrorInvalid   = "invalid"
	ErrorKeyReused = "key_reused"
	// ErrorMissing: there is no row of the order to cancel.
	ErrorMissing = "missing"
)

// end ends the workflow with what the row says, once others were told of it if they have to be.
func end(ctx workflow.Context, o order.Order, row order.Row) (Result, error) {
	if row.OwesEvent {
		publish(ctx, []order.Key{o.Key()})
	}
	takeHints(ctx) // whose order has ended: they tell nothing any more
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return Result{}, err
	}
	result := Result{OrderID: o.ID, Status: row.Status, Reason: row.Reason, Detail: row.Detail}
	tell(ctx, "Ended as "+string(row.Status)+reasonInWords(row)+".")
	return result, nil
}

func reasonInWords(row order.Row) string {
	switch {
	case row.Reason == "":
		return ""
	case row.Detail == "":
		return ": " + string(row.Reason)
	}
	return ": " + string(row.Reason) + " (" + row.Detail + ")"
}

func invalidOrder(err error) error {
	return temporal.NewNonRetryableApplicationError("the order is not valid: "+err.Error(), ErrorInvalid, nil)
}

// rootMessage is the innermost error in words, without Temporal's wrapping.
func rootMessage(err error) string {
	if failure, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return failure.Message()
	}
	if _, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		return "it took too long"
	}
	return err.Error()
}

// tell sets what the Web UI shows of a running workflow. It costs no event.
func tell(ctx workflow.Context, words string) { workflow.SetCurrentDetails(ctx, words) }
