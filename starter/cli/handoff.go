package cli

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"holdfast/order"
	"holdfast/workflows"
)

const (
	// handOffTimeout is how long a million orders take, several times over.
	handOffTimeout = time.Hour
	// watchPause lies between two looks at a hand-off that is watched.
	watchPause = 2 * time.Second
)

// handOffDoc is what a hand-off did, and the workflow that did it.
type handOffDoc struct {
	order.HandOff
	WorkflowID string `json:"workflow_id"`
}

// handOffFlags are those of the command.
type handOffFlags struct {
	cutoff    string
	bounded   bool // a cutoff was given
	dryRun    bool
	watch     bool
	taskQueue string
	timeout   time.Duration
}

func (a *app) handOffCommand() *cobra.Command {
	var f handOffFlags
	cmd := &cobra.Command{
		Use:   "handoff",
		Short: "Give the confirmed orders to the warehouse",
		Long: `Give the warehouse every confirmed order that was placed up to the cutoff, and wait until it has them.

The workers do it by themselves at the day's cutoff (HOLDFAST_HANDOFF_CRON, HOLDFAST_HANDOFF_TIME_ZONE); this command does it
now. Each order goes once, however often and from wherever it is run: pages that an earlier hand-off has left go first, and if
the schedule's own run is under way, that one is waited for. From the moment that an order is on a page it cannot be cancelled.

An order that the warehouse does not take stays CONFIRMED and asks for a person ("order list --attention"). It goes
again with the next hand-off, and may be cancelled until then. While the warehouse is down, the hand-off waits.

The command speaks to Temporal (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ...), and a worker must run. If it is
interrupted the hand-off goes on.

Exit codes:
  0  it ended, and the warehouse answered for every order
  1  it did not run, did not end in time, or failed; or the warehouse refuses whole pages
  2  usage`,
		Example: `  starter handoff --dry-run
  starter handoff --cutoff 2026-11-26T17:00:00+09:00 --watch`,
		Args: takes(),
		RunE: run(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			f.bounded = cmd.Flags().Changed("cutoff")
			f.taskQueue = cmp.Or(f.taskQueue, a.environ.get(envTaskQueue), defaultTaskQueue)
			return a.handOff(ctx, f)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.cutoff, "cutoff", "", "hand off what was placed up to this `time`, as 2026-11-26T17:00:00+09:00; now if unset")
	flags.BoolVar(&f.dryRun, "dry-run", false, fmt.Sprintf("hand nothing off, and count what would be, at most %d orders", order.MaxCounted))
	flags.BoolVar(&f.watch, "watch", false, "say every "+watchPause.String()+" how far it is")
	flags.StringVar(&f.taskQueue, "task-queue", "", "the workers' task `queue` ("+envTaskQueue+", else "+defaultTaskQueue+")")
	timeoutFlag(cmd, &f.timeout, handOffTimeout, "to wait for the end")
	return cmd
}

func (a *app) handOff(ctx context.Context, f handOffFlags) error {
	in := workflows.HandOffInput{DryRun: f.dryRun}
	if f.bounded {
		cutoff, err := time.Parse(time.RFC3339, f.cutoff)
		if err != nil || cutoff.Year() < 2000 {
			return usagef("--cutoff: %q is not a time such as 2026-11-26T17:00:00+09:00", f.cutoff)
		}
		if cutoff.After(time.Now()) {
			return usagef("--cutoff: %s is still to come", f.cutoff)
		}
		in.Cutoff = cutoff
	}
	c, _, err := a.dialTemporal(ctx, min(f.timeout, defaultTimeout))
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	// Another run may be under way, or stuck: two at once share no order.
	run, err := c.ExecuteWorkflow(ctx, workflows.HandOffOptions(in.DryRun, time.Now(), f.taskQueue), workflows.HandOffName, in)
	if err != nil {
		return errorf("failed", "Failed", "start the hand-off: %v", err)
	}
	if f.watch {
		stop := a.watchHandOff(ctx, c, run.GetID())
		defer stop()
	}
	doc := handOffDoc{WorkflowID: run.GetID()}
	if err := run.Get(ctx, &doc.HandOff); err != nil {
		if ctx.Err() != nil {
			return errorf("timeout", "Not ended yet", "the workflow %s has not ended within %s", run.GetID(), f.timeout).
				advisef("It goes on. Is a worker running on the task queue %q, and does the warehouse answer?", f.taskQueue)
		}
		return errorf("failed", "Failed", "the workflow %s: %v", run.GetID(), err)
	}
	if err := a.printHandOff(doc); err != nil {
		return err
	}
	return a.sayHandedOff(doc)
}

// watchHandOff says how far the hand-off is, until it is stopped.
func (a *app) watchHandOff(ctx context.Context, c client.Client, workflowID string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for a.pause(ctx, watchPause) == nil {
			answer, err := c.QueryWorkflow(ctx, workflowID, "", workflows.HandOffProgress)
			var now order.HandOff
			if err == nil {
				err = answer.Get(&now)
			}
			switch {
			case ctx.Err() != nil:
			case err != nil:
				a.sayf("no word of the hand-off: %v", err)
			default:
				a.sayf("%d pages, %d orders handed off, %d rejected, %d pages refused", now.Pages, now.HandedOff, now.Rejected, len(now.Refused))
			}
		}
	}()
	return func() { cancel(); <-done }
}

func (a *app) printHandOff(doc handOffDoc) error {
	if a.output == formatJSON {
		if doc.Refused == nil {
			doc.Refused = []order.PageKey{}
		}
		return a.printAsJSON(doc)
	}
	rows := [][]string{
		{"Dry run", yesNo(doc.DryRun)},
		{"Cutoff", doc.Cutoff.UTC().Format(time.RFC3339)},
		{"Pages", fmt.Sprint(doc.Pages)},
		{"Orders", fmt.Sprint(doc.Orders)},
		{"Handed off", fmt.Sprint(doc.HandedOff)},
		{"Rejected", fmt.Sprint(doc.Rejected)},
		{"Refused pages", fmt.Sprint(len(doc.Refused))},
		{"Workflow", doc.WorkflowID},
	}
	return printTable(a.stdout, rows...)
}

// sayHandedOff says what a person should know even if a program reads the result.
func (a *app) sayHandedOff(doc handOffDoc) error {
	if doc.Rejected > 0 {
		a.sayf("%d orders are not taken by the warehouse and ask for a person: order list --attention", doc.Rejected)
	}
	if len(doc.Refused) > 0 {
		a.sayf("The warehouse REFUSES %d pages, the first because of: %s. The next hand-off tries them again.", len(doc.Refused), doc.Failure)
		return codeError(exitError)
	}
	return nil
}
