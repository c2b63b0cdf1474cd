package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

// carriedKey is the context's key for the order that a workflow carries.
type carriedKey struct{}

func carrying(ctx workflow.Context, o order.Order) workflow.Context {
	return workflow.WithValue(ctx, carriedKey{}, o.Key())
}

// askForPerson says in the Web UI, as a search attribute and on the order's row that somebody has to
// look. The returned function takes it back; it must be called once the step is decided.
func askForPerson(ctx workflow.Context, reason string) (answered func()) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	tell(ctx, "**Needs a person:** "+reason+".")
	setAttention(ctx, true)
	asked := attend(ctx, reason)
	return func() {
		// One after the other, or a late note would stay for ever. Neither can fail but for good.
		_ = asked.Get(ctx, nil)
		_ = attend(ctx, "").Get(ctx, nil)
		setAttention(ctx, false)
	}
}

// attend writes the note on the row, as patiently as it takes.
func attend(ctx workflow.Context, reason string) workflow.Future {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: patientTry,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: patientPause},
		Summary:             activities.Attend.Doing,
	})
	key, _ := ctx.Value(carriedKey{}).(order.Key)
	return workflow.ExecuteActivity(ctx, activities.Attend.Name, []order.Attention{{Key: key, Reason: reason}})
}

func setAttention(ctx workflow.Context, needed bool) {
	err := workflow.UpsertTypedSearchAttributes(ctx, Attention.ValueSet(needed))
	if err != nil {
		workflow.GetLogger(ctx).Error("set the search attribute for attention", "error", err)
	}
}
