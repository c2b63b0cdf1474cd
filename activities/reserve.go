package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"holdfast/order"
)

// reserve may be repeated: the front looks for the order's own reservation before it looks at the stock. A
// try whose answer was lost may still be on its way, and reserve after a repeat was refused: such an order
// counts as taken, so that its release blocks the late try.
func (a *Activities) reserve(ctx context.Context, orders []order.Order) []order.Outcome[order.Reservation] {
	outcomes := a.Stock.Reserve(ctx, orders)
	if !firstTry(activity.GetInfo(ctx)) {
		for i := range outcomes {
			if outcomes[i].Answer.Refused() {
				outcomes[i].Answer.Taken = true
			}
		}
	}
	return outcomes
}

// firstTry tells that this workflow has not tried the step before. One whose worker died tries again
// without knowing, so what is done on a first try must be harmless if it is not.
func firstTry(info activity.Info) bool { return info.IsLocalActivity && info.Attempt == 1 }

// release may be repeated, and run before a late reserve, which it then blocks.
func (a *Activities) release(ctx context.Context, releases []order.Releasing) []order.Outcome[order.Verdict] {
	return a.Stock.Release(ctx, releases)
}
