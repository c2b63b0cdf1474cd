package activities

import (
	"context"

	"holdfast/order"
)

// commit may be repeated: a row that is CONFIRMED already is the answer.
func (a *Activities) commit(ctx context.Context, keys []order.Key) []order.Outcome[order.Row] {
	rows, err := a.Orders.Commit(ctx, keys)
	if err == nil {
		a.Metrics.count(rows)
	}
	return all(keys, rows, err)
}

// cancel may be repeated, and run before a late commit, which it then stops: a row that is CANCELLED already is the answer.
func (a *Activities) cancel(ctx context.Context, keys []order.Key) []order.Outcome[order.Row] {
	rows, err := a.Orders.Cancel(ctx, keys)
	if err == nil {
		a.Metrics.count(rows)
	}
	return all(keys, rows, err)
}
