package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

// HandOffName is the wire name of HandOff.
const HandOffName = "HandOff"

const (
	// HandOffID is the id of the schedule. Temporal adds a time to it for each run, as whoever starts one by hand does.
	HandOffID = "hand-off"
	// HandOffSummary is the line that the Web UI shows of a run.
	HandOffSummary = "Hands confirmed orders off to the warehouse"
	// HandOffProgress is the query for how far a hand-off is, an order.HandOff.
	HandOffProgress = "progress"
)

const (
	// maxLeftPages bounds how many pages that earlier hand-offs have left are found at once, and maxPagesARun how many
	// are delivered before the history begins anew: six events each.
	maxLeftPages = 500
	maxPagesARun = 500
)

// HandOffInput says what is handed off.
type HandOffInput struct {
	// Cutoff: orders that were placed up to then. Zero means the time for which the schedule has started the run, however late
	// it began, and for a run that it did not start the time of the start.
	Cutoff time.Time `json:"cutoff,omitzero"`
	// DryRun: orders are counted, and nothing else.
	DryRun bool `json:"dry_run,omitempty"`
	// Progress is set where a run goes on from an earlier one.
	Progress *HandOffState `json:"progress,omitempty"`
}

// HandOffState is all that a hand-off needs to go on.
type HandOffState struct {
	Done order.HandOff `json:"done"`
	// Left are pages of earlier hand-offs that are still to be delivered, and Searched that these were looked for.
	Left     []order.PageKey `json:"left,omitempty"`
	Searched bool            `json:"searched,omitempty"`
	Page     int             `json:"page"` // the last page that was delivered
}

// HandOff gives the warehouse every confirmed order that was placed up to the cutoff, once, page by page. First come the pages that
// earlier hand-offs have assigned and not delivered: nobody else may be at work on them, and if somebody is, each page still
// arrives once. Two hand-offs at once share no order.
//
// While the warehouse does not answer, the page is repeated without end. One that it refuses is left for the next hand-off, with
// its orders asking for a person, and the others go on.
func HandOff(ctx workflow.Context, in HandOffInput) (order.HandOff, error) {
	s := startHandOff(ctx, in)
	if err := workflow.SetQueryHandler(ctx, HandOffProgress, func() (order.HandOff, error) { return s.Done, nil }); err != nil {
		return order.HandOff{}, err
	}
	if in.DryRun {
		err := handOffStep(ctx, activities.CountToHandOff, "Counting the orders", s.Done.Cutoff, &s.Done.Orders)
		return s.Done, err
	}
	if !s.Searched {
		if err := handOffStep(ctx, activities.FindPages, "Looking for pages that earlier hand-offs have left", maxLeftPages, &s.Left); err != nil {
			return order.HandOff{}, err
		}
		s.Searched = true
	}
	for range maxPagesARun {
		tell(ctx, s.inWords())
		page := s.next()
		var delivery order.Delivery
		if err := handOffStep(ctx, activities.HandOffPage, "Bringing page "+page.String()+" to the warehouse", page, &delivery); err != nil {
			return order.HandOff{}, err
		}
		if delivery.Orders == 0 && !page.Cutoff.IsZero() {
			tell(ctx, "Ended. "+s.inWords())
			return s.Done, nil
		}
		s.delivered(delivery)
	}
	return order.HandOff{}, workflow.NewContinueAsNewError(ctx, HandOffName, HandOffInput{Cutoff: s.Done.Cutoff, Progress: s})
}

func startHandOff(ctx workflow.Context, in HandOffInput) *HandOffState {
	if in.Progress != nil {
		return in.Progress
	}
	info := workflow.GetInfo(ctx)
	cutoff := in.Cutoff
	if cutoff.IsZero() {
		cutoff = info.WorkflowStartTime
		if nominal, scheduled := workflow.GetTypedSearchAttributes(ctx).GetTime(scheduledStart); scheduled {
			cutoff = nominal
		}
	}
	return &HandOffState{Done: order.HandOff{
		ID: info.FirstRunID, Cutoff: cutoff.UTC().Truncate(time.Microsecond), DryRun: in.DryRun, Refused: []order.PageKey{},
	}}
}

// scheduledStart is the search attribute in which Temporal keeps the time for which a schedule has started a workflow.
var scheduledStart = temporal.NewSearchAttributeKeyTime("TemporalScheduledStartTime")

// next is the page to deliver: one that was left, or else a new one.
func (s *HandOffState) next() activities.PageInput {
	if len(s.Left) > 0 {
		return activities.PageInput{PageKey: s.Left[0]}
	}
	return activities.PageInput{
		PageKey: order.PageKey{HandOff: s.Done.ID, Page: s.Page + 1}, Cutoff: s.Done.Cutoff,
	}
}

func (s *HandOffState) delivered(d order.Delivery) {
	s.Done.Count(d)
	if len(s.Left) > 0 {
		s.Left = s.Left[1:]
		return
	}
	s.Page++
}

func (s *HandOffState) inWords() string {
	d := s.Done
	words := fmt.Sprintf("Orders placed up to %s. So far: %d pages, %d orders handed off, %d rejected by the warehouse.",
		clock(d.Cutoff), d.Pages, d.HandedOff, d.Rejected)
	if len(d.Refused) > 0 {
		words = fmt.Sprintf("**Needs a person.** %s It refuses %d pages, the first because of: %s.", words, len(d.Refused), strings.TrimSuffix(d.Failure, "."))
	}
	return words
}

// handOffStep runs one activity until it succeeds.
func handOffStep(ctx workflow.Context, name, doing string, in, out any) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: handOffTry,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: patientPause},
		Summary:             doing,
	})
	return workflow.ExecuteActivity(ctx, name, in).Get(ctx, out)
}

// handOffTry bounds one try of a page, which takes parts of a second on a system that is well, and is how long a page
// waits after its worker was killed.
const handOffTry = 30 * time.Second

// HandOffOptions are the options that start a hand-off by hand, at a time.
func HandOffOptions(dryRun bool, at time.Time, taskQueue string) client.StartWorkflowOptions {
	summary := HandOffSummary
	if dryRun {
		summary = "Counts what a hand-off would take"
	}
	return client.StartWorkflowOptions{
		ID: HandOffID + "-" + at.UTC().Format("2006-01-02T15:04:05.000Z"), TaskQueue: taskQueue, StaticSummary: summary,
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}
}
