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
	// attentionAfter is how long the patient phase goes on before the order asks for a person. It is
	// longer than a restart of anything takes.
	attentionAfter = 15 * time.Minute
)

// step carries one order through one step: fast first, patient after. Fast is a local activity, which
// costs Temporal nothing; what is undecided then goes on as an ordinary activity, without end, which
// the Web UI shows with its last failure. The error is a cancellation, or a failure that no repeat can
// mend.
func step[In, Out any](ctx workflow.Context, s activities.Step[In, Out], in In) (Out, error) {
	tell(ctx, s.Doing+".")
	fast := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		Summary:                s.Doing,
		ScheduleToCloseTimeout: fastBudget,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 20 * time.Millisecond, BackoffCoefficient: 2, MaximumAttempts: fastTries,
		},
	})
	answer, err := answerOf[Out](ctx, workflow.ExecuteLocalActivity(fast, s.Name, []In{in}))
	switch {
	case err == nil || isFinal(err):
		return answer, err
	case ctx.Err() != nil:
		return answer, ctx.Err()
	}
	return patiently(ctx, s, in, err)
}

// patiently repeats the step until it is decided, and asks for a person when that takes long.
func patiently[In, Out any](ctx workflow.Context, s activities.Step[In, Out], in In, cause error) (Out, error) {
	tell(ctx, fmt.Sprintf("%s. No answer yet: %s. It is repeated until there is one; the pending activity shows the last failure.",
		s.Doing, rootMessage(cause)))
	patient := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: patientTry,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: patientPause,
		},
		WaitForCancellation: true, // an undo must not overtake its step while that still runs
		Summary:             s.Doing + ", until there is an answer",
	})
	future := workflow.ExecuteActivity(patient, s.Name, []In{in})
	timerCtx, stopTimer := workflow.WithCancel(ctx)
	timer := workflow.NewTimerWithOptions(timerCtx, attentionAfter, workflow.TimerOptions{
		Summary: "asks for a person if " + s.Name + " has no answer by then",
	})
	workflow.NewSelector(ctx).
		AddFuture(future, func(workflow.Future) { stopTimer() }).
		AddFuture(timer, func(workflow.Future) {}).
		Select(ctx)
	if !future.IsReady() && ctx.Err() == nil {
		answered := askForPerson(ctx, fmt.Sprintf("%s has had no answer for %s", s.Name, attentionAfter))
		defer answered()
	}
	answer, err := answerOf[Out](ctx, future)
	if err != nil && !isFinal(err) && ctx.Err() != nil {
		return answer, ctx.Err() // the try that was under way failed before it saw the cancellation
	}
	return answer, err
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
