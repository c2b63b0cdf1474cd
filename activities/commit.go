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
