package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

// PublishEventsName is the wire name of PublishEvents.
const PublishEventsName = "PublishEvents"

const (
	// EventsID is the id of the schedule.
	EventsID = "publish-events"
	// EventsNowID is that of a run that a receipt starts.
	EventsNowID = "publish-events-now"
	// EventsSummary is the line that the Web UI shows of a run.
	EventsSummary = "Tells others what could not be told at once"

	// publishBudget is how long somebody who waits for his order may wait for others to be told.
	publishBudget = 500 * time.Millisecond
	// maxOwedChunks bounds the history of a run: what is left then is the next one's.
	maxOwedChunks = 500
)

// PublishEvents tells others of every order and receipt of which they have still to be told, and of which no workflow of its own
// has. While Kafka is away, one such workflow waits for all of them; what is owed stays on record.
func PublishEvents(ctx workflow.Context) (activities.Owed, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: patientPause},
		Summary:             "Telling others, until Kafka has it",
	})
	var all activities.Owed
	for range maxOwedChunks {
		tell(ctx, fmt.Sprintf("Telling others, until Kafka has it. So far: %d orders, %d receipts.", all.Orders, all.Receipts))
		var chunk activities.Owed
		if err := workflow.ExecuteActivity(ctx, activities.PublishOwed).Get(ctx, &chunk); err != nil {
			return all, err
		}
		all.Orders += chunk.Orders
		all.Receipts += chunk.Receipts
		if all.Done = chunk.Done; all.Done {
			break
		}
	}
	tell(ctx, fmt.Sprintf("Ended. Others were told of %d orders and %d receipts.", all.Orders, all.Receipts))
	return all, nil
}

// publish tells others of orders for which nothing else is owed, in one call. Whoever waits for them waits no longer than a moment for
// it: if Kafka has not answered by then, it is left to PublishEvents.
func publish(ctx workflow.Context, keys []order.Key) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	tell(ctx, activities.Publish.Doing+".")
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		Summary:                activities.Publish.Doing,
		ScheduleToCloseTimeout: publishBudget,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	_ = workflow.ExecuteLocalActivity(local, activities.Publish.Name, keys).Get(ctx, nil)
}

// PublishNowOptions are the options that have others told now. A run that is under way will do: what it may have missed is the next
// run's.
func PublishNowOptions(taskQueue string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: EventsNowID, TaskQueue: taskQueue, StaticSummary: EventsSummary,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}
}
