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
	// maxPagesARun is how many pages are delivered before the history begins anew: six events each.
	maxPagesARun = 500
	// pageBudget is how long a page is repeated before a person is asked, and the others have their turn.
	pageBudget = 15 * time.Minute
	// againBudget is how long one is repeated that has had that, each time that it comes again.
	againBudget = 3 * time.Minute
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
	// Left are pages of earlier hand-offs that are still to be delivered, as far as they were looked for: up to Found.
	Left  []order.PageKey `json:"left,omitempty"`
	Found order.PagePlace `json:"found"`
	// Unanswered are pages that the warehouse has not answered for long, or did not take from an earlier hand-off. They come last, again
	// and again.
	Unanswered []order.PageKey `json:"unanswered,omitempty"`
	// Again: the pages that are left now were unanswered.
	Again bool `json:"again,omitempty"`
	Page  int  `json:"page"` // the last page that was assigned
}

// HandOff gives the warehouse every confirmed order that was placed up to the cutoff, once, page by page. First come the pages that
// earlier hand-offs have assigned and not delivered: nobody else may be at work on them, and if somebody is, each page still
// arrives once. Those that the warehouse did not take then come last. Two hand-offs at once share no order.
//
// A page that the warehouse does not answer is repeated without end; after a while it asks for a person, and the others go
// first. One that it refuses is left for the next hand-off, with its orders asking for a person.
func HandOff(ctx workflow.Context, in HandOffInput) (order.HandOff, error) {
	s := startHandOff(ctx, in)
	if err := workflow.SetQueryHandler(ctx, HandOffProgress, func() (order.HandOff, error) { return s.Done, nil }); err != nil {
		return order.HandOff{}, err
	}
	if in.DryRun {
		err := handOffStep(ctx, activities.CountToHandOff, "Counting the orders", &s.Done.Orders, s.Done.Cutoff)
		return s.Done, err
	}
	if err := s.find(ctx); err != nil {
		return order.HandOff{}, err
	}
	for range maxPagesARun {
		tell(ctx, s.inWords())
		delivery, err := s.deliver(ctx, s.next())
		if err != nil {
			return order.HandOff{}, err
		}
		if delivery.Orders > 0 {
			continue
		}
		if err := s.find(ctx); err != nil {
			return order.HandOff{}, err
		}
		if s.Again = len(s.Left) == 0; s.Again {
			s.Left, s.Unanswered = s.Unanswered, nil
		}
		if len(s.Left) == 0 {
			tell(ctx, "Ended. "+s.inWords())
			return s.Done, nil
		}
	}
	return order.HandOff{}, workflow.NewContinueAsNewError(ctx, HandOffName, HandOffInput{Cutoff: s.Done.Cutoff, Progress: s})
}

// find looks for further pages that others have left.
func (s *HandOffState) find(ctx workflow.Context) error {
	var found []order.PagePlace
	if err := handOffStep(ctx, activities.FindPages, "Looking for pages that other hand-offs have left", &found, s.Found); err != nil {
		return err
	}
	for _, place := range found {
		s.Found = place
		switch {
		case place.HandOff == s.Done.ID:
		case place.Problem:
			s.Unanswered = append(s.Unanswered, place.PageKey)
		default:
			s.Left = append(s.Left, place.PageKey)
		}
	}
	return nil
}

// deliver brings a page to the warehouse. The answer has no orders if it was a new page, and there are none left for it.
func (s *HandOffState) deliver(ctx workflow.Context, page activities.PageInput) (order.Delivery, error) {
	var delivery order.Delivery
	budget := pageBudget
	if s.Again && len(s.Left) > 0 {
		budget = againBudget
	}
	bounded := workflow.WithScheduleToCloseTimeout(ctx, budget)
	err := handOffStep(bounded, activities.HandOffPage, "Bringing page "+page.String()+" to the warehouse", &delivery, page)
	switch {
	case ctx.Err() != nil || isFinal(err):
		return delivery, err
	case err != nil:
		why := "no answer: " + rootMessage(err)
		if err := handOffStep(ctx, activities.LeavePage, "Asking for a person to look at page "+page.String(), nil, page.PageKey, why); err != nil {
			return delivery, err
		}
		s.Unanswered = append(s.Unanswered, page.PageKey)
		delivery.Orders = 1 // at least: it is not the end
	case delivery.Orders > 0:
		s.Done.Count(delivery)
	}
	if len(s.Left) > 0 {
		s.Left = s.Left[1:]
		delivery.Orders = max(delivery.Orders, 1) // one that was left is not the end either
	} else if delivery.Orders > 0 {
		s.Page++
	}
	return delivery, nil
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

func (s *HandOffState) inWords() string {
	d := s.Done
	words := fmt.Sprintf("Orders placed up to %s. So far: %d pages, %d orders handed off, %d rejected by the warehouse.",
		clock(d.Cutoff), d.Pages, d.HandedOff, d.Rejected)
	untaken := len(s.Unanswered)
	if s.Again {
		untaken += len(s.Left)
	}
	if untaken > 0 {
		words = fmt.Sprintf("**Needs a person.** %s %d pages that it did not take come again at the end.", words, untaken)
	}
	if len(d.Refused) > 0 {
		words = fmt.Sprintf("**Needs a person.** %s It refuses %d pages, the first because of: %s.", words, len(d.Refused), strings.TrimSuffix(d.Failure, "."))
	}
	return words
}

// handOffStep runs one activity until it succeeds, or the context's time for it is over.
func handOffStep(ctx workflow.Context, name, doing string, out any, in ...any) error {
	options := workflow.GetActivityOptions(ctx)
	options.StartToCloseTimeout = handOffTry
	options.RetryPolicy = &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: patientPause}
	options.Summary = doing
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), name, in...).Get(ctx, out)
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
