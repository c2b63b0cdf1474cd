package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"holdfast/order"
	"holdfast/workflows"
)

// resolveTimeout is twice what a try may take that is under way when a person answers.
const resolveTimeout = 30 * time.Second

// resolvedDoc is what became of a person's answer to an order.
type resolvedDoc struct {
	OrderID    order.ID     `json:"order_id"`
	WorkflowID string       `json:"workflow_id"`
	Answer     order.Answer `json:"answer"`
	Result     string       `json:"result"` // what happens now, in words
}

func (a *app) resolveCommand() *cobra.Command {
	var retry, charged, notCharged bool
	var note string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "resolve ID",
		Short: "Answer an order that needs a person",
		Long: `Answer an order whose step has had no answer for long: "order list --attention" lists them, "order get" says why.

  --retry        try the step again now, and not at its next turn
  --charged      you have seen at the provider that the customer was charged the order's total, once: the order goes on
  --not-charged  you have seen to it at the provider that the customer's net charge is zero, and stays so: the order is
                 closed, and its units are sold to others

The last two settle the charge by hand and are for an order that asks for a person because of it. They need --note, which
is kept on the order. Should the provider answer at the same moment, its answer counts.

The command speaks to Temporal (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ...), and a worker must run. The same can be done in
the Web UI: the workflow takes the update "` + workflows.Resolve + `".

Exit codes:
  0  the answer was taken
  1  error: it is not known whether it was taken; "order get" shows it
  2  usage, or the answer was refused; nothing was changed`,
		Example: `  starter order resolve ord_aaaaaaaaaaaaaaaaaaaaaaaaaa --retry
  starter order resolve ord_aaaaaaaaaaaaaaaaaaaaaaaaaa --not-charged --note "no such payment at the provider, asked on the phone"`,
		Args: takes("ID"),
		RunE: run(func(ctx context.Context, _ *cobra.Command, args []string) error {
			r := order.Resolution{Note: note}
			switch {
			case retry:
				r.Answer = order.Retry
			case charged:
				r.Answer = order.Charged
			case notCharged:
				r.Answer = order.NotCharged
			}
			return a.resolve(ctx, args[0], r, timeout)
		}),
	}
	flags := cmd.Flags()
	flags.BoolVar(&retry, "retry", false, "try the step again now")
	flags.BoolVar(&charged, "charged", false, "settle by hand: the customer was charged")
	flags.BoolVar(&notCharged, "not-charged", false, "settle by hand: the customer was not charged, and will not be")
	flags.StringVar(&note, "note", "", "how you know, at most 512 characters; kept on the order")
	cmd.MarkFlagsOneRequired("retry", "charged", "not-charged")
	cmd.MarkFlagsMutuallyExclusive("retry", "charged", "not-charged")
	cmd.MarkFlagsMutuallyExclusive("retry", "note")
	timeoutFlag(cmd, &timeout, resolveTimeout, "to wait for each workflow's answer, which comes when the try under way has ended")
	return cmd
}

// resolve gives the answer to every workflow that is at work on the order: which of them waits only they know.
func (a *app) resolve(ctx context.Context, arg string, r order.Resolution, timeout time.Duration) error {
	id, err := order.ParseID(arg)
	if err == nil {
		err = r.Validate()
	}
	if err != nil {
		return invalidInput(err)
	}
	c, _, err := a.dialTemporal(ctx, min(timeout, defaultTimeout))
	if err != nil {
		return err
	}
	defer c.Close()
	var taken []resolvedDoc
	var refusals []string
	var silent *failure
	for _, workflowID := range workflows.WorkflowIDs(id) {
		words, err := update(ctx, c, workflowID, r, timeout)
		_, absent := errors.AsType[*serviceerror.NotFound](err)
		refusal, refused := errors.AsType[*temporal.ApplicationError](err)
		switch {
		case err == nil:
			taken = append(taken, resolvedDoc{OrderID: id, WorkflowID: workflowID, Answer: r.Answer, Result: words})
		case absent:
		case refused:
			refusals = append(refusals, fmt.Sprintf("%s: %s", workflowID, refusal.Message()))
		default:
			silent = errorf("no-answer", "No answer", "it is not known whether the workflow %s took the answer: %v", workflowID, err).
				advisef("Is a worker running? See what the order says: %s", a.command("order", "get", string(id)))
		}
	}
	if silent != nil {
		for _, doc := range taken {
			a.sayf("%s: %s", doc.WorkflowID, doc.Result)
		}
		return silent
	}
	if len(taken) == 0 {
		if len(refusals) == 0 {
			refusals = []string{"no workflow is at work on the order " + string(id)}
		}
		return &failure{code: exitUsage, problem: madeHere("refused", "The answer was refused", strings.Join(refusals, "; "))}
	}
	return a.printResolved(taken)
}

// update answers one workflow. An *ApplicationError refuses the answer, with the reason.
func update(ctx context.Context, c client.Client, workflowID string, r order.Resolution, timeout time.Duration) (words string, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	handle, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflowID, UpdateName: workflows.Resolve, Args: []any{r}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, &words)
	}
	return words, err
}

func (a *app) printResolved(taken []resolvedDoc) error {
	if a.output == formatJSON {
		return a.printAsJSON(map[string]any{"taken": taken})
	}
	rows := [][]string{{"WORKFLOW", "NOW"}}
	for _, doc := range taken {
		rows = append(rows, []string{doc.WorkflowID, doc.Result})
	}
	return printTable(a.stdout, rows...)
}
