package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"holdfast/order"
	"holdfast/workflows"
)

// reconcileTimeout is how long a million SKUs take, several times over.
const reconcileTimeout = 30 * time.Minute

// reconcileDoc is what a reconciliation found and did, and the workflow that did it.
type reconcileDoc struct {
	order.Reconciliation
	WorkflowID string `json:"workflow_id"`
}

func (a *app) reconcileCommand() *cobra.Command {
	var dryRun bool
	var timeout time.Duration
	var taskQueue string
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Re-drive orders whose workflow is gone, and heal counts in Redis that have drifted",
		Long: `Put right what nobody is at work on any more, and say what was found:

  - Unsettled orders that no workflow carries, because somebody pressed Terminate for instance. Their
    workflow is started again: pending ones go on, closed ones pay what is owed.
  - Counts in Redis that stay apart from the order database. They are deleted and loaded afresh by the
    next order. "Over" are units that Redis offers and that do not exist, "under" are units withheld.

It may run at any time, also during a sale. The workers do it by themselves every few minutes
(HOLDFAST_RECONCILE_EVERY); this command does it now and waits. If a run is under way already, that one
is waited for. With --dry-run nothing is changed, and what would be is listed; it never joins a real run,
nor a real run a dry one.

The command speaks to Temporal (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ...), and a worker must run. If it is
interrupted the run goes on.

Exit codes:
  0  it ran, whatever it found
  1  it did not run, did not end in time, or failed
  2  usage`,
		Example: `  starter reconcile --dry-run
  starter reconcile --output json | jq .redriven`,
		Args: takes(),
		RunE: run(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			taskQueue = cmp.Or(taskQueue, a.environ.get(envTaskQueue), defaultTaskQueue)
			return a.reconcile(ctx, dryRun, taskQueue, timeout)
		}),
	}
	flags := cmd.Flags()
	flags.BoolVar(&dryRun, "dry-run", false, "change nothing, and list what would be changed")
	flags.StringVar(&taskQueue, "task-queue", "", "the workers' task `queue` ("+envTaskQueue+", else "+defaultTaskQueue+")")
	timeoutFlag(cmd, &timeout, reconcileTimeout, "to wait for the end")
	return cmd
}

func (a *app) reconcile(ctx context.Context, dryRun bool, taskQueue string, timeout time.Duration) error {
	c, _, err := a.dialTemporal(ctx, min(timeout, defaultTimeout))
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	run, err := a.startReconcile(ctx, c, dryRun, taskQueue)
	if err != nil {
		return errorf("failed", "Failed", "start the reconciliation: %v", err)
	}
	doc := reconcileDoc{WorkflowID: run.GetID()}
	if err := run.Get(ctx, &doc.Reconciliation); err != nil {
		if ctx.Err() != nil {
			return errorf("timeout", "Not ended yet", "the workflow %s has not ended within %s", run.GetID(), timeout).
				advisef("It goes on. Is a worker running on the task queue %q?", taskQueue)
		}
		return errorf("failed", "Failed", "the workflow %s: %v", run.GetID(), err)
	}
	doc.Reconciliation = doc.Clone() // without lists that are null
	if err := a.printReconciliation(doc); err != nil {
		return err
	}
	a.sayReconciled(doc)
	return nil
}

// startReconcile starts a run, or finds the one that is under way: started by a person, or by the schedule under an
// id of its own. Two at once, where neither sees the other, do no harm.
func (a *app) startReconcile(ctx context.Context, c client.Client, dryRun bool, taskQueue string) (client.WorkflowRun, error) {
	if !dryRun {
		if run := scheduledRun(ctx, c, workflows.ReconcileID); run != nil {
			a.sayf("A run by the schedule is under way; this waits for that one. It may miss what came up since it began.")
			return run, nil
		}
	}
	options := workflows.ReconcileOptions(dryRun, taskQueue)
	run, err := c.ExecuteWorkflow(ctx, options, workflows.ReconcileStockName, workflows.ReconcileInput{DryRun: dryRun})
	if started, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); ok {
		a.sayf("Another run is under way; this waits for that one. It may miss what came up since it began.")
		return c.GetWorkflow(ctx, options.ID, started.RunId), nil
	}
	return run, err
}

// scheduledRun gives the run of a schedule that is under way, nil if there is none or nobody knows.
func scheduledRun(ctx context.Context, c client.Client, scheduleID string) client.WorkflowRun {
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	schedule, err := c.ScheduleClient().GetHandle(ctx, scheduleID).Describe(ctx)
	if err != nil {
		return nil
	}
	for _, running := range schedule.Info.RunningWorkflows {
		// The schedule learns of an end a moment late, and what has ended looked at nothing from now on.
		description, err := c.DescribeWorkflowExecution(ctx, running.WorkflowID, "")
		if err == nil && description.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return c.GetWorkflow(ctx, running.WorkflowID, description.GetWorkflowExecutionInfo().GetExecution().GetRunId())
		}
	}
	return nil
}

func (a *app) printReconciliation(doc reconcileDoc) error {
	if a.output == formatJSON {
		return a.printAsJSON(doc)
	}
	drift := func(d order.Drift) string { return fmt.Sprintf("%d SKUs, %d units", d.SKUs, d.Units) }
	rows := [][]string{
		{"Dry run", yesNo(doc.DryRun)},
		{"Unsettled orders", fmt.Sprint(doc.Unsettled)},
		{"Carried by a workflow", fmt.Sprint(doc.Carried)},
		{"Carried by nobody", fmt.Sprint(doc.Uncarried)},
		{"Re-driven", fmt.Sprint(doc.Redriven)},
		{"SKUs", fmt.Sprintf("%d, of which %d are counted in Redis", doc.SKUs, doc.Compared)},
		{"Offered, not there", drift(doc.Over)},
		{"There, withheld", drift(doc.Under)},
		{"Counts healed", fmt.Sprint(doc.Healed)},
		{"Failures", fmt.Sprint(doc.Failures)},
	}
	if doc.OtherLimits > 0 {
		rows = append(rows, []string{"With another limit", fmt.Sprintf("%d SKUs", doc.OtherLimits)})
	}
	for _, words := range doc.FailureWords {
		rows = append(rows, []string{"Failure", words})
	}
	for _, note := range doc.Notes {
		rows = append(rows, []string{"Note", note})
	}
	rows = append(rows, []string{"Workflow", doc.WorkflowID})
	if link := a.webUI(doc.WorkflowID); link != "" {
		rows = append(rows, []string{"Web UI", link})
	}
	if err := printTable(a.stdout, rows...); err != nil {
		return err
	}
	return a.printExamples(doc)
}

// printExamples prints the lists, which are the first of more if there are many.
func (a *app) printExamples(doc reconcileDoc) error {
	if len(doc.Drifted) > 0 {
		rows := [][]string{{"DRIFTED SKU", "IN REDIS", "AVAILABLE"}}
		for _, d := range doc.Drifted {
			rows = append(rows, []string{d.SKU, fmt.Sprint(d.Count), fmt.Sprint(d.Available)})
		}
		if err := errors.Join(a.printLine(), printTable(a.stdout, rows...)); err != nil {
			return err
		}
	}
	if len(doc.UncarriedIDs) > 0 {
		rows := [][]string{{"ORDER CARRIED BY NOBODY"}}
		for _, id := range doc.UncarriedIDs {
			rows = append(rows, []string{string(id)})
		}
		return errors.Join(a.printLine(), printTable(a.stdout, rows...))
	}
	return nil
}

// sayReconciled says what a person should know even if a program reads the result.
func (a *app) sayReconciled(doc reconcileDoc) {
	drifted := doc.Over.SKUs + doc.Under.SKUs + doc.OtherLimits
	switch {
	case drifted == 0 && doc.Uncarried == 0 && doc.Failures == 0:
	case doc.DryRun:
		a.sayf("DRIFT: %d counts are off and %d orders are carried by nobody. This was a dry run: nothing was changed.", drifted, doc.Uncarried)
	default:
		a.sayf("DRIFT: %d counts were off, of which %d are healed; %d orders were carried by nobody, of which %d are re-driven.",
			drifted, doc.Healed, doc.Uncarried, doc.Redriven)
	}
	if doc.Failures > 0 {
		a.sayf("%d could not be helped; the result says why.", doc.Failures)
	}
}
