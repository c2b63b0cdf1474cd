package activities

import (
	"context"

	"holdfast/order"
)

// reserve may be repeated: the front looks for the order's own reservation before it looks at the
// stock.
func (a *Activities) reserve(ctx context.Context, orders []order.Order) []order.Outcome[order.Reservation] {
	return a.Stock.Reserve(ctx, orders)
}

// release may be repeated, and run before a late reserve, which it then blocks.
func (a *Activities) release(ctx context.Context, releases []order.Releasing) []order.Outcome[order.Verdict] {
	return a.Stock.Release(ctx, releases)
}
