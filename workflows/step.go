package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

const (
	// fastBudget bounds a step as a local activity, its repeats included. It is long for a Redis
	// script, a transaction or a provider that is well, and short enough that the whole straight path
	// stays within one workflow task.
	fastBudget = 2 * time.Second
	// fastTries is enough to get past a dropped connection and one bad answer after it.
	fastTries = 3
	// patientTry bounds one try of the patient phase. It is also how long a step waits after its
	// worker was killed, before another worker tries.
	patientTry = 15 * time.Second
	// patientPause is the longest pause between tries: short enough that an order goes on soon after
	// an outage, long enough that 200 waiting orders ask 7 times a second.
	patientPause = 30 * time.Second
)

// step carries one order through one step: fast first, patient after. What is undecided after the fast
// phase goes on as ordinary activities, without end, which the Web UI shows with their last failure. The
// error is a cancellation, a failure that no repeat can mend, or a *settledByHandError.
func step[In, Out any](ctx workflow.Context, s activities.Step[In, Out], in In) (Out, error) {
	answer, err := fast(ctx, s, in)
	switch {
	case err == nil || isFinal(err):
		return answer, err
	case ctx.Err() != nil:
		return answer, ctx.Err()
	}
	return patiently(ctx, s, in, err)
}

// fast tries the step as a local activity, which costs Temporal nothing.
func fast[In, Out any](ctx workflow.Context, s activities.Step[In, Out], in In) (Out, error) {
	tell(ctx, s.Doing+".")
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		Summary:                s.Doing,
		ScheduleToCloseTimeout: fastBudget,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 20 * time.Millisecond, BackoffCoefficient: 2, MaximumAttempts: fastTries,
		},
	})
	return answerOf[Out](ctx, workflow.ExecuteLocalActivity(local, s.Name, []In{in}))
}

// patiently repeats the step until it is decided, and asks for a person when that takes long. Between the
// rounds the workflow says how it stands.
func patiently[In, Out any](ctx workflow.Context, s activities.Step[In, Out], in In, cause error) (answer Out, err error) {
	w := startWait(ctx, s.Name)
	defer w.end()
	for r := firstRound; ; r = r.next() {
		w.failed(s.Doing, cause)
		roundCtx, abandon := workflow.WithCancel(ctx)
		future := workflow.ExecuteActivity(workflow.WithActivityOptions(roundCtx, r.options(s.Doing)), s.Name, []In{in})
		word := w.untilDone(future)
		if word != nil {
			abandon()
		}
		answer, err = answerOf[Out](ctx, future) // also of one that was abandoned: the try under way may decide the step
		decided := err == nil || isFinal(err)
		w.settle(word, decided)
		switch {
		case decided:
			return answer, err
		case ctx.Err() != nil:
			return answer, ctx.Err() // the try that was under way failed before it saw the cancellation
		case word == nil:
			w.tries += r.tries
			cause = err
		case word.Answer.ByHand():
			return answer, &settledByHandError{*word}
		default:
			r = beforeFirst
		}
	}
}

// round is a number of tries as one ordinary activity.
type round struct {
	tries int32
	pause time.Duration // after the first try; doubled up to patientPause
}

var (
	firstRound  = round{tries: 8, pause: 500 * time.Millisecond} // a minute
	beforeFirst = round{}
)

// maxRound keeps the history of an order that waits for days short: six events in half an hour.
const maxRound = 60

func (r round) next() round {
	if r == beforeFirst {
		return firstRound
	}
	return round{tries: min(2*r.tries, maxRound), pause: patientPause}
}

func (r round) options(doing string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: patientTry,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: r.pause, BackoffCoefficient: 2, MaximumInterval: patientPause, MaximumAttempts: r.tries,
		},
		WaitForCancellation: true, // an undo must not overtake its step while that still runs
		Summary:             doing + ", until there is an answer",
	}
}

func answerOf[Out any](ctx workflow.Context, f workflow.Future) (answer Out, err error) {
	var outcomes []order.Outcome[Out]
	if err := f.Get(ctx, &outcomes); err != nil {
		return answer, err
	}
	if len(outcomes) != 1 {
		return answer, fmt.Errorf("a step answered %d outcomes for one order", len(outcomes))
	}
	return outcomes[0].Answer, nil
}

// isFinal tells a failure that no repeat can mend.
func isFinal(err error) bool {
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && failure.NonRetryable()
}
