package histories

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/order"
	"holdfast/workflows"
)

// recorder records what happens to orders whose payment provider can be made ill.
type recorder struct {
	*shop.Client
	temporal client.Client
	provider string // URL
	dir      string
}

// troubled is a stack on which orders soon ask for a person.
var troubled = stack.Config{Settings: map[string]string{
	"HOLDFAST_RECONCILE_EVERY": "0", "HOLDFAST_ATTENTION_AFTER": "1s", "HOLDFAST_PAYMENT_TIMEOUT": "1s",
}}

// recordTroubles records the orders that are cancelled, and those that a person has to help.
func (r *recorder) recordTroubles(ctx context.Context) error {
	if err := r.SetStock(ctx, "plenty", 100); err != nil {
		return err
	}
	for _, record := range []func(context.Context) error{
		r.cancelledSale, r.cancelledMeanwhile, r.cancelledInTemporal, r.cancelledWithoutProvider, r.settledByHand, r.retriedByHand,
	} {
		if err := record(ctx); err != nil {
			return err
		}
		if err := r.Ail(ctx, r.provider, shop.Well()); err != nil {
			return err
		}
	}
	return nil
}

// cancelledSale is confirmed first.
func (r *recorder) cancelledSale(ctx context.Context) error {
	answer, err := r.PlaceUntilDefinite(ctx, "sale", shop.Buy("recorder", "tok_ok", "plenty", 1))
	if err != nil {
		return err
	}
	if err := r.cancel(ctx, answer.ID(), http.StatusOK); err != nil {
		return err
	}
	return r.write(ctx, workflows.CancelWorkflowID(answer.ID()), "cancelled-sale")
}

// cancelledMeanwhile waits for its payment while another workflow cancels it.
func (r *recorder) cancelledMeanwhile(ctx context.Context) error {
	id, err := r.pending(ctx, "meanwhile", "tok_async")
	if err != nil {
		return err
	}
	if err := r.cancel(ctx, id, http.StatusOK); err != nil {
		return err
	}
	return errors.Join(
		r.write(ctx, workflows.WorkflowID(id), "cancelled-meanwhile"),
		r.write(ctx, workflows.CancelWorkflowID(id), "cancelled-pending"),
	)
}

// cancelledInTemporal is cancelled by a request to its own workflow.
func (r *recorder) cancelledInTemporal(ctx context.Context) error {
	id, err := r.pending(ctx, "in-temporal", "tok_async")
	if err != nil {
		return err
	}
	if err := r.temporal.CancelWorkflow(ctx, workflows.WorkflowID(id), ""); err != nil {
		return err
	}
	return r.write(ctx, workflows.WorkflowID(id), "cancelled-in-temporal")
}

// cancelledWithoutProvider is settled by hand, since its charge cannot be reversed.
func (r *recorder) cancelledWithoutProvider(ctx context.Context) error {
	answer, err := r.PlaceUntilDefinite(ctx, "without-provider", shop.Buy("recorder", "tok_ok", "plenty", 1))
	if err != nil {
		return err
	}
	if err := r.goDown(ctx); err != nil {
		return err
	}
	if err := r.cancel(ctx, answer.ID(), http.StatusAccepted); err != nil {
		return err
	}
	err = r.answer(ctx, answer.ID(), workflows.CancelWorkflowID(answer.ID()), order.Resolution{Answer: order.NotCharged, Note: "refunded by hand"})
	if err != nil {
		return err
	}
	return r.write(ctx, workflows.CancelWorkflowID(answer.ID()), "cancelled-and-settled-by-hand")
}

// settledByHand has orders whose charge nobody can know of.
func (r *recorder) settledByHand(ctx context.Context) error {
	if err := r.goDown(ctx); err != nil {
		return err
	}
	for file, answer := range map[string]order.Answer{"settled-as-charged": order.Charged, "settled-as-not-charged": order.NotCharged} {
		id, err := r.pending(ctx, file, "tok_ok")
		if err != nil {
			return err
		}
		if err := r.answer(ctx, id, workflows.WorkflowID(id), order.Resolution{Answer: answer, Note: "seen on the statement"}); err != nil {
			return err
		}
		if err := r.write(ctx, workflows.WorkflowID(id), file); err != nil {
			return err
		}
	}
	return nil
}

// retriedByHand goes on because a person knows that the provider is back.
func (r *recorder) retriedByHand(ctx context.Context) error {
	if err := r.goDown(ctx); err != nil {
		return err
	}
	id, err := r.pending(ctx, "retried-by-hand", "tok_ok")
	if err != nil {
		return err
	}
	if err := r.awaitAttention(ctx, id); err != nil {
		return err
	}
	if err := r.Ail(ctx, r.provider, shop.Well()); err != nil {
		return err
	}
	if err := r.answer(ctx, id, workflows.WorkflowID(id), order.Resolution{Answer: order.Retry}); err != nil {
		return err
	}
	return r.write(ctx, workflows.WorkflowID(id), "retried-by-hand")
}

// recordBatches records batches that were decided, and that handed orders on.
func (r *recorder) recordBatches(ctx context.Context) error {
	for file, methods := range map[string][]string{
		"batch-decided": {"tok_ok", "tok_declined", "tok_ok"}, "batch-handed-on": {"tok_ok", "tok_async", "tok_error"},
	} {
		var batch workflows.Batch
		for i, method := range methods {
			request := shop.Buy("recorder", method, "plenty", 1)
			o, err := order.New(request.CustomerID, fmt.Sprint(file, i), order.Currency(request.Currency), request.PaymentMethod, request.Lines)
			if err != nil {
				return err
			}
			text, err := json.Marshal(o)
			if err != nil {
				return err
			}
			batch = append(batch, text)
		}
		options := workflows.PlaceOrdersOptions(file, "holdfast", len(batch))
		run, err := r.temporal.ExecuteWorkflow(ctx, options, workflows.PlaceOrdersName, batch)
		if err == nil {
			err = run.Get(ctx, nil)
		}
		if err != nil {
			return err
		}
		if err := r.write(ctx, options.ID, file); err != nil {
			return err
		}
	}
	return nil
}

// recordLongOutage records an order that outlasts the first round of its patience, which takes a minute.
func (r *recorder) recordLongOutage(ctx context.Context) error {
	if err := r.SetStock(ctx, "plenty", 1); err != nil {
		return err
	}
	if err := r.goDown(ctx); err != nil {
		return err
	}
	const file = "confirmed-after-a-long-outage"
	id, err := r.pending(ctx, file, "tok_ok")
	if err != nil {
		return err
	}
	for over := false; !over; {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the first round of %s is not over: %w", file, ctx.Err())
		case <-time.After(time.Second):
		}
		if over, err = r.has(ctx, workflows.WorkflowID(id), enums.EVENT_TYPE_ACTIVITY_TASK_FAILED); err != nil {
			return err
		}
	}
	if err := r.Ail(ctx, r.provider, shop.Well()); err != nil {
		return err
	}
	return r.write(ctx, workflows.WorkflowID(id), file)
}

// has tells whether the history of a workflow has such an event by now.
func (r *recorder) has(ctx context.Context, workflowID string, event enums.EventType) (bool, error) {
	events := r.temporal.GetWorkflowHistory(ctx, workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil || e.GetEventType() == event {
			return err == nil, err
		}
	}
	return false, nil
}

func (r *recorder) goDown(ctx context.Context) error {
	return r.Ail(ctx, r.provider, shop.Fault{Mode: "down", Seconds: 300})
}

// pending places an order that is not decided yet.
func (r *recorder) pending(ctx context.Context, key, paymentMethod string) (order.ID, error) {
	answer, err := r.Place(ctx, key, shop.Buy("recorder", paymentMethod, "plenty", 1), 0)
	if err == nil && answer.Status != http.StatusAccepted {
		err = fmt.Errorf("%s was answered %d %s", key, answer.Status, answer.Problem.Detail)
	}
	return answer.ID(), err
}

func (r *recorder) cancel(ctx context.Context, id order.ID, status int) error {
	answer, err := r.Cancel(ctx, id, time.Second)
	if err == nil && answer.Status != status {
		err = fmt.Errorf("the cancellation of %s was answered %d %s", id, answer.Status, answer.Problem.Detail)
	}
	return err
}

// answer is a person's, once the order asked for it.
func (r *recorder) answer(ctx context.Context, id order.ID, workflowID string, resolution order.Resolution) error {
	if err := r.awaitAttention(ctx, id); err != nil {
		return err
	}
	handle, err := r.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflowID, UpdateName: workflows.Resolve, Args: []any{resolution}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return err
	}
	return handle.Get(ctx, nil)
}

func (r *recorder) awaitAttention(ctx context.Context, id order.ID) error {
	for {
		found, err := r.Get(ctx, id)
		if err != nil || found.Attention != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not ask for a person: %w", id, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (r *recorder) write(ctx context.Context, workflowID, file string) error {
	return write(ctx, r.temporal, workflowID, r.dir, file)
}
