package workflows

import (
	"cmp"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

// ReconcileStockName is the wire name of ReconcileStock.
const ReconcileStockName = "ReconcileStock"

const (
	// ReconcileID is the id of the schedule, and of a run that a person starts. Temporal adds a time to it for
	// each run of the schedule.
	ReconcileID = "reconcile-stock"
	// ReconcileDryRunID is the id of a dry run, which may go beside another.
	ReconcileDryRunID = "reconcile-stock-dry-run"
	// ReconcileSummary is the line that the Web UI shows of a run.
	ReconcileSummary = "Re-drives orders whose workflow is gone, and deletes counts in Redis that have drifted"
)

// ReconcileInput says what a reconciliation may do.
type ReconcileInput struct {
	// DryRun: nothing is changed, and the result says what would be.
	DryRun bool `json:"dry_run,omitempty"`
	// Progress is set where a run goes on from an earlier one.
	Progress order.ReconcileProgress `json:"progress,omitzero"`
}

const (
	// chunkTry bounds a chunk, which takes seconds on a system that is well.
	chunkTry = 15 * time.Minute
	// chunkBudget is how long a chunk is repeated before the run fails, so that the next one can begin. Nothing is
	// lost: it looks at everything afresh.
	chunkBudget = time.Hour
	// chunkSilence is how soon another worker takes over from one that was killed. It is longer than one page of
	// Redis and the order database takes with all their time-outs.
	chunkSilence = 45 * time.Second
)

// ReconcileStock puts right what nobody is at work on any more. Orders come first: somebody waits for each, while
// a drifted count only costs speed or sales. It may run at any time, beside sales and beside itself.
func ReconcileStock(ctx workflow.Context, in ReconcileInput) (order.Reconciliation, error) {
	p := in.Progress
	p.Found.DryRun = in.DryRun
	var failed error // of one walk, which does not keep the other from its work
	for _, walk := range []struct {
		activity, doing string
		done            func() bool
	}{
		{activities.RedriveOrders, "Looking for unsettled orders that no workflow carries", func() bool { return p.Orders.Done }},
		{activities.CompareCounts, "Comparing the counts in Redis with the order database", func() bool { return p.Counts.Done }},
	} {
		for !walk.done() {
			tell(ctx, walk.doing+". "+foundInWords(p.Found))
			if err := chunk(ctx, walk.activity, walk.doing, &p); err != nil {
				failed = cmp.Or(failed, err)
				break
			}
			if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
				in.Progress = p
				return order.Reconciliation{}, workflow.NewContinueAsNewError(ctx, ReconcileStockName, in)
			}
		}
	}
	if failed != nil {
		return order.Reconciliation{}, failed
	}
	if !in.DryRun {
		local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{ScheduleToCloseTimeout: fastBudget})
		if err := workflow.ExecuteLocalActivity(local, activities.NoteReconciliation, p.Found).Get(ctx, nil); err != nil {
			return order.Reconciliation{}, err
		}
	}
	tell(ctx, "Ended. "+foundInWords(p.Found))
	return p.Found.Clone(), nil
}

// chunk takes a run one chunk further.
func chunk(ctx workflow.Context, activity, doing string, p *order.ReconcileProgress) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    chunkTry,
		ScheduleToCloseTimeout: chunkBudget,
		HeartbeatTimeout:       chunkSilence,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: patientPause},
		Summary:                doing,
	})
	var next order.ReconcileProgress
	if err := workflow.ExecuteActivity(ctx, activity, *p).Get(ctx, &next); err != nil {
		return err
	}
	*p = next
	return nil
}

func foundInWords(r order.Reconciliation) string {
	return fmt.Sprintf("So far: %d unsettled orders, of which %d nobody carried and %d are re-driven; %d SKUs, of which %d drifted (%d units over, %d under)"+
		" and %d are healed; %d failures.",
		r.Unsettled, r.Uncarried, r.Redriven, r.SKUs, r.Over.SKUs+r.Under.SKUs+r.OtherLimits, r.Over.Units, r.Under.Units, r.Healed, r.Failures)
}

// ReconcileOptions are the options that start a run, or fail if one with that id is under way.
func ReconcileOptions(dryRun bool, taskQueue string) client.StartWorkflowOptions {
	id := ReconcileID
	if dryRun {
		id = ReconcileDryRunID
	}
	return client.StartWorkflowOptions{
		ID: id, TaskQueue: taskQueue, StaticSummary: ReconcileSummary,
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}
}

// RedriveOptions are the options that start an order whose workflow is gone, however that ended, or fail while it
// runs. Any worker may take it: one that re-drives many is not to carry them all.
func RedriveOptions(o order.Order, taskQueue string) client.StartWorkflowOptions {
	options := PlaceOrderOptions(o, taskQueue)
	options.WorkflowIDReusePolicy = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	options.EnableEagerStart = false
	return options
}
