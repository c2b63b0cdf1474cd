package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"holdfast/admission"
	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/workflows"
)

// lanes has orders carried, alone or together. It implements admission.Carrier.
type lanes struct {
	temporal  Temporal
	taskQueue string
	patience  time.Duration // for Temporal to take a workflow
}

// CarryOne implements admission.Carrier.
func (l lanes) CarryOne(ctx context.Context, o order.Order) error {
	start, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	run, err := l.temporal.ExecuteWorkflow(start, workflows.PlaceOrderOptions(o, l.taskQueue), workflows.PlaceOrderName, o)
	if err != nil {
		return fmt.Errorf("start the workflow: %w", err)
	}
	_ = run.Get(ctx, nil) // how it ended does not matter here, since the row decides
	return nil
}

// CarryBatch implements admission.Carrier.
func (l lanes) CarryBatch(ctx context.Context, orders []json.RawMessage) (handedOn int, err error) {
	start, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	options := workflows.PlaceOrdersOptions(rand.Text(), l.taskQueue, len(orders))
	run, err := l.temporal.ExecuteWorkflow(start, options, workflows.PlaceOrdersName, workflows.Batch(orders))
	if err != nil {
		return 0, fmt.Errorf("start the batch: %w", err)
	}
	var outcome workflows.BatchOutcome
	_ = run.Get(ctx, &outcome)
	return outcome.HandedOn, nil
}

// admissionConfig completes the limits.
func admissionConfig(d Deps, patience time.Duration) admission.Config {
	return admission.Config{
		Limits:  d.Limits,
		Carrier: lanes{temporal: d.Temporal, taskQueue: d.TaskQueue, patience: patience},
		Unsettled: func(ctx context.Context, limit int) (int, error) {
			return d.Orders.CountUnsettled(ctx, time.Now().Add(-usualTime), limit)
		},
		MaxBatch: workflows.MaxBatch, MaxBatchBytes: workflows.MaxBatchBytes, MaxBatchedOrder: workflows.MaxBatchedOrder,
	}
}

// usualTime is within which an order has its end on a system that is well, batches under load included.
const usualTime = 5 * time.Second

// await waits until the order's workflow has ended, in whichever lane, until the deadline. The error is that none could
// be started, as far as this caller knows.
func (a *API) await(ctx context.Context, t *admission.Ticket, id order.ID, deadline time.Time) (orderdb.Record, error) {
	wait, cancel := a.untilDrained(ctx, deadline)
	defer cancel()
	var started error
	select {
	case <-t.Done():
		started = t.Err()
	case <-wait.Done():
	}
	record, err := a.waitForRow(ctx, id, started == nil)
	if err == nil && record.Status == order.Pending && started == nil && wait.Err() == nil {
		// Its batch has handed it on, to a workflow of its own.
		_ = a.Temporal.GetWorkflow(wait, workflows.WorkflowID(id), "").Get(wait, nil)
		record, err = a.waitForRow(ctx, id, true)
	}
	if err != nil {
		return record, errors.Join(started, err)
	}
	return record, nil
}

// untilDrained ends at the deadline, or when the API is told to stop waiting.
func (a *API) untilDrained(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	stop := context.AfterFunc(a.draining, cancel)
	return ctx, func() { stop(); cancel() }
}

// turnAway answers an order that may not come in. One that is on record is answered by its row all the same.
func (a *API) turnAway(ctx context.Context, o order.Order, reason error) (*placeAnswer, error) {
	record, err := a.record(ctx, o.ID)
	if err == nil {
		return answerPlaced(o, record)
	}
	detail := "nothing was started: more orders are waiting than can be carried"
	if errors.Is(reason, admission.ErrCustomerFull) {
		detail = "nothing was started: more orders of this customer are waiting than may"
	}
	p := newProblem(slugFull, "%s", detail)
	p.retryAfter = a.admission.RetryAfter()
	return nil, p
}
