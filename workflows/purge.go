package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

// PurgeOrdersName is the wire name of PurgeOrders.
const PurgeOrdersName = "PurgeOrders"

const (
	// PurgeID is the id of the schedule. Temporal adds a time to it for each run.
	PurgeID = "purge-orders"
	// PurgeSummary is the line that the Web UI shows of a run.
	PurgeSummary = "Deletes orders that are older than they have to be kept"
)

const (
	// purgeSilence is how soon another worker takes over from one that was killed.
	purgeSilence = 30 * time.Second
	// maxPurgeChunks bounds the history of a run: what is left then is the next one's.
	maxPurgeChunks = 1000
)

// PurgeOrders deletes the orders that have reached their end, for which nothing is owed, and that are older than the workers
// are configured to keep. Small stones of them stay, and the stock adds up as before. It may run at any time, also twice at once.
func PurgeOrders(ctx workflow.Context) (order.Purged, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Minute,
		HeartbeatTimeout:    purgeSilence,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: patientPause},
		Summary:             "Deleting old orders",
	})
	var all order.Purged
	for range maxPurgeChunks {
		tell(ctx, fmt.Sprintf("%d orders are deleted so far.", all.Orders))
		var chunk order.Purged
		if err := workflow.ExecuteActivity(ctx, activities.PurgeChunk).Get(ctx, &chunk); err != nil {
			return all, err
		}
		all.Add(chunk)
		if all.Done {
			break
		}
	}
	tell(ctx, fmt.Sprintf("Ended. %d orders are deleted.", all.Orders))
	return all, nil
}
