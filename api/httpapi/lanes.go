package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"holdfast/admission"
	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/tracing"
	"holdfast/workflows"
)

// lanes has orders carried, alone or together. It implements admission.Carrier.
type lanes struct {
	temporal  Temporal
	taskQueue string
	patience  time.Duration        // for Temporal to take a workflow
	tracing   trace.TracerProvider // nil for none
}

// StartOne implements admission.Carrier.
func (l lanes) StartOne(ctx context.Context, o order.Order) (admission.Workflow, error) {
	tellSpan(ctx, tracing.Lane.String(tracing.LaneAlone))
	run, err := l.start(ctx, workflows.PlaceOrderOptions(o, l.taskQueue), workflows.PlaceOrderName, o)
	if err != nil {
		return nil, fmt.Errorf("start the workflow: %w", err)
	}
	return single{run}, nil
}

// StartBatch implements admission.Carrier.
func (l lanes) StartBatch(ctx context.Context, orders []json.RawMessage, origins []context.Context) (admission.Workflow, error) {
	options := workflows.PlaceOrdersOptions(rand.Text(), l.taskQueue, len(orders))
	ctx, end := l.traceBatch(ctx, options.ID, origins)
	defer end()
	run, err := l.start(ctx, options, workflows.PlaceOrdersName, workflows.Batch(orders))
	if err != nil {
		return nil, fmt.Errorf("start the batch: %w", err)
	}
	return batch{run}, nil
}

func (l lanes) start(ctx context.Context, options client.StartWorkflowOptions, workflow string, input any) (client.WorkflowRun, error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	return l.temporal.ExecuteWorkflow(ctx, options, workflow, input)
}

// single is the workflow of one order. How it ended does not matter here, since the row decides.
type single struct{ run client.WorkflowRun }

// Wait implements admission.Workflow.
func (s single) Wait(ctx context.Context) ([]int, error) {
	return nil, unanswered(s.run.Get(ctx, nil))
}

type batch struct{ run client.WorkflowRun }

// Wait implements admission.Workflow.
func (b batch) Wait(ctx context.Context) ([]int, error) {
	var outcome workflows.BatchOutcome
	err := unanswered(b.run.Get(ctx, &outcome))
	return outcome.HandedOn, err
}

// unanswered is nil if the workflow has ended, however it did.
func unanswered(err error) error {
	if _, ended := errors.AsType[*sdktemporal.WorkflowExecutionError](err); ended {
		return nil
	}
	return err
}

// books is what the admission asks the order database. It implements admission.Books.
type books struct {
	Orders

	maxUntold int // 0 if nobody is told of anything
}

// Unsettled implements admission.Books. Orders that wait for nothing but Kafka do not count, until there are too many of them.
func (b books) Unsettled(ctx context.Context, before time.Time, limit int) (int, error) {
	if b.maxUntold > 0 {
		if untold, err := b.CountUntold(ctx, before, b.maxUntold); err != nil || untold >= b.maxUntold {
			return limit, err
		}
	}
	return b.CountUnsettled(ctx, before, limit)
}

// OnRecord implements admission.Books.
func (b books) OnRecord(ctx context.Context, ids []order.ID) (map[order.ID]bool, error) {
	records, err := b.GetMany(ctx, ids)
	settled := make(map[order.ID]bool, len(records))
	for id, r := range records {
		settled[id] = r.SettledAt != nil
	}
	return settled, err
}

// await waits until the order has its end, in whichever lane, or the deadline has come, and reads its row. The error is one
// of admission's if nothing was started.
func (a *API) await(ctx context.Context, t *admission.Ticket, id order.ID, deadline time.Time) (orderdb.Record, error) {
	if err := a.awaitTurn(ctx, t, deadline); err != nil {
		return orderdb.Record{}, err
	}
	wait, cancel := a.untilDrained(ctx, deadline)
	defer cancel()
	select {
	case <-t.Done():
	case <-wait.Done():
	}
	select {
	case <-t.Done(): // looked at first: a stop ends the waiting and the order's turn in one moment
	default:
		return a.waitForRow(ctx, id, true)
	}
	if err := t.Err(); admission.TurnedAway(err) {
		return orderdb.Record{}, err
	} else if err != nil {
		record, rowErr := a.row(ctx, id)
		if rowErr != nil {
			return record, errors.Join(err, rowErr)
		}
		return record, nil
	}
	if t.HandedOn() {
		a.untilDecided(wait, id)
	}
	return a.waitForRow(ctx, id, true)
}

// awaitTurn waits until the order has started, or never will, for a while even if the caller would not wait: otherwise who
// does not wait for the end would not be let in while others are.
func (a *API) awaitTurn(ctx context.Context, t *admission.Ticket, deadline time.Time) error {
	if least := time.Now().Add(a.patience.row); deadline.Before(least) {
		deadline = least
	}
	wait, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	select {
	case <-t.Started():
		return nil
	case <-wait.Done():
	}
	if dropped := t.Leave(); dropped {
		return admission.ErrFull
	}
	return nil // another waits for it, or it has just started
}

// untilDecided waits until the row is not PENDING any more, or ctx ends. It watches the row and not the workflow: of
// those who wait for what Temporal has not ended, it bears fewer than there may be shoppers.
func (a *API) untilDecided(ctx context.Context, id order.ID) {
	for pause := 50 * time.Millisecond; sleep(ctx, pause); pause = min(2*pause, 500*time.Millisecond) {
		record, err := a.row(ctx, id)
		if err == nil && record.Status != order.Pending {
			return
		}
	}
}

// untilDrained ends at the deadline, or when the API is told to stop waiting.
func (a *API) untilDrained(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	stop := context.AfterFunc(a.draining, cancel)
	return ctx, func() { stop(); cancel() }
}

// turnAway answers an order for which this request started nothing. One that is on record is answered by its row all the
// same.
func (a *API) turnAway(ctx context.Context, o order.Order, reason error) (*placeAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, a.patience.row)
	defer cancel()
	record, err := a.row(ctx, o.ID)
	switch {
	case err == nil:
		return answerPlaced(o, record)
	case !errors.Is(err, orderdb.ErrNotFound):
		return nil, a.outcomeUnknown(ctx, o.ID, errors.Join(reason, err))
	case errors.Is(reason, admission.ErrKeyReused):
		return nil, keyReused()
	case a.admission.Carries(o.ID): // an earlier request may have placed it
		return nil, a.outcomeUnknown(ctx, o.ID, reason)
	}
	p := newProblem(slugFull, "this request started nothing: %s", reason)
	p.retryAfter = a.admission.RetryAfter()
	return nil, p
}
