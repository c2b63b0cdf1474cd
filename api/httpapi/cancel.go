package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/workflows"
)

type cancelRequest struct {
	ID     string `path:"id" example:"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa" doc:"The order's id."`
	Prefer string `header:"Prefer" example:"wait=10" doc:"wait=N waits N seconds, 0 to 30, for the cancellation's end instead of 5. Other preferences are ignored."`
}

// cancelOrder starts the order's cancellation, waits for its end, and answers what the row says, whatever came of the
// waiting. What the row says before is the answer if it is an end.
func (a *API) cancelOrder(ctx context.Context, in *cancelRequest) (*placeAnswer, error) {
	began := time.Now()
	id, err := order.ParseID(in.ID)
	if err != nil {
		return nil, err
	}
	wait, applied, err := parsePrefer(in.Prefer)
	if err != nil {
		return nil, err
	}
	record, err := a.record(ctx, id)
	if err != nil {
		return nil, err
	}
	if answer, err := a.answerCancelled(ctx, &record); err != nil || answer.Status == http.StatusOK {
		return answer, err
	}
	started := a.carry(ctx, workflows.CancelOrderOptions(record.Order, a.TaskQueue), workflows.CancelOrderName, record.Order, began.Add(wait))
	record, err = a.record(ctx, id)
	if err != nil {
		return nil, a.cancellationUnknown(ctx, id, errors.Join(started, err))
	}
	answer, err := a.answerCancelled(ctx, &record)
	if err != nil {
		return nil, err
	}
	if started != nil && record.Status != order.Cancelled {
		return nil, a.cancellationUnknown(ctx, id, started)
	}
	answer.PreferenceApplied = applied
	return answer, nil
}

func (a *API) cancellationUnknown(ctx context.Context, id order.ID, reason error) *Problem {
	return a.unavailable(ctx, fmt.Errorf("cancel %s: %w", id, reason),
		"the outcome is not known: the order may or may not be cancelled. Repeat the request, which is harmless", "order_id", id)
}

// answerCancelled is the one place where a row becomes the answer to whoever cancels the order.
func (a *API) answerCancelled(ctx context.Context, r *orderdb.Record) (*placeAnswer, error) {
	answer := &placeAnswer{Status: http.StatusAccepted, Location: orderPath(r.ID), Body: toJSON(r)}
	switch r.Status {
	case order.Cancelled:
		if r.SettledAt != nil {
			answer.Status = http.StatusOK
		}
	case order.Rejected:
		return nil, orderClosed(r)
	case order.HandedOff:
		return nil, handedOff(r.ID, "the warehouse has the order: it cannot be cancelled any more")
	case order.Confirmed:
		assigned, err := a.Orders.Assigned(ctx, r.ID)
		if err != nil {
			return nil, a.cancellationUnknown(ctx, r.ID, err)
		}
		if assigned {
			return nil, handedOff(r.ID, "the order is on its way to the warehouse: it cannot be cancelled any more")
		}
	case order.Pending:
	}
	return answer, nil
}

func handedOff(id order.ID, detail string) *Problem {
	p := newProblem(slugHandedOff, "%s", detail)
	p.OrderID = id
	return p
}
