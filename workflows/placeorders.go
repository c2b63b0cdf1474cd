package workflows

import (
	"encoding/json"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

// Limits of a batch. A workflow's input may have 2 MiB, a request to Temporal 4 MiB, and children carry their orders once
// more.
const (
	MaxBatch      = 200       // orders
	MaxBatchLines = 1000      // of all orders together, since stock rows are locked for that long
	MaxBatchBytes = 512 << 10 // of encoded orders
	// MaxBatchedOrder is the most bytes of an order in a batch. A longer one goes alone.
	MaxBatchedOrder = 16 << 10
)

// Batch is the input of PlaceOrders, as it is sent: orders, each encoded by itself.
type Batch []json.RawMessage

// batched is an order of a Batch, as it is read: one that cannot be read is empty, and harms only itself.
type batched struct{ order.Order }

// UnmarshalJSON implements json.Unmarshaler.
func (b *batched) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &b.Order) != nil {
		b.Order = order.Order{}
	}
	return nil
}

// BatchOutcome is how a batch ended.
type BatchOutcome struct {
	Decided  int   `json:"decided"`             // how many orders have reached their end
	HandedOn []int `json:"handed_on,omitempty"` // the indexes of those that a workflow of their own carries on
	Invalid  []int `json:"invalid,omitempty"`   // of those that cannot be read, or are none; nothing was done for them
}

// PlaceOrders is the saga for a batch: it takes all of them straight through, and hands each order that did not get a
// definite outcome to a PlaceOrder of its own, which begins at the top and outlives the batch. It has no compensation, and
// ignores cancellation: orders that somebody waits for are not his to cancel who sees a batch.
func (w Workflows) PlaceOrders(ctx workflow.Context, batch []batched) (BatchOutcome, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	orders := make([]order.Order, len(batch))
	for i, b := range batch {
		orders[i] = b.Order
	}
	result := placeBatch(ctx, orders)
	if len(result.Unpublished) > 0 {
		keys := make([]order.Key, len(result.Unpublished))
		for i, at := range result.Unpublished {
			keys[i] = orders[at].Key()
		}
		publish(ctx, keys)
	}
	if err := handOn(ctx, orders, result); err != nil {
		return BatchOutcome{}, err
	}
	return BatchOutcome{
		Decided: len(batch) - len(result.Undecided) - len(result.Invalid), HandedOn: result.Undecided, Invalid: result.Invalid,
	}, nil
}

// placeBatch takes the orders straight through. Without an answer all of them are undecided.
func placeBatch(ctx workflow.Context, orders []order.Order) activities.BatchResult {
	doing := fmt.Sprintf("Placing %d orders straight through", len(orders))
	tell(ctx, doing+".")
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		Summary:                doing,
		ScheduleToCloseTimeout: activities.BatchTotal + fastBudget,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	var result activities.BatchResult
	if err := workflow.ExecuteLocalActivity(local, activities.PlaceBatch, orders).Get(ctx, &result); err != nil {
		result = activities.BatchResult{Failure: rootMessage(err)}
		for i, o := range orders {
			if _, err := order.ParseID(string(o.ID)); err != nil {
				result.Invalid = append(result.Invalid, i)
				continue
			}
			result.Undecided = append(result.Undecided, i)
		}
	}
	return result
}

// handOn has the undecided orders carried by workflows of their own, and waits only until these have started. One that
// carries the order already does as well.
func handOn(ctx workflow.Context, orders []order.Order, result activities.BatchResult) error {
	if len(result.Undecided) == 0 {
		return nil
	}
	tell(ctx, fmt.Sprintf("%d of %d orders go on one by one; the first because of: %s.", len(result.Undecided), len(orders), result.Failure))
	started := make([]workflow.Future, 0, len(result.Undecided))
	for _, i := range result.Undecided {
		o := orders[i]
		child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID:            WorkflowID(o.ID),
			ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_ABANDON,
			WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
			TypedSearchAttributes: attributesOf(o),
			StaticSummary:         summary(o),
		}), PlaceOrderName, o, Before{Tried: true})
		started = append(started, child.GetChildWorkflowExecution())
	}
	for _, s := range started {
		if err := s.Get(ctx, nil); err != nil && !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			return err
		}
	}
	return nil
}

// PlaceOrdersOptions are the options that start a batch under an id of its own, which the orders' rows record.
func PlaceOrdersOptions(id, taskQueue string, orders int) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: "batch/" + id, TaskQueue: taskQueue, EnableEagerStart: true,
		StaticSummary: fmt.Sprintf("%d orders", orders),
	}
}
