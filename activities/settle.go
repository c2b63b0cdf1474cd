package activities

import (
	"context"

	"holdfast/order"
)

// settle may be repeated: a settled row stays so.
func (a *Activities) settle(ctx context.Context, keys []order.Key) []order.Outcome[order.Row] {
	rows, err := a.Orders.Settle(ctx, keys)
	return all(keys, rows, err)
}

// attend may be repeated: the first time that a person was asked for stands.
func (a *Activities) attend(ctx context.Context, attentions []order.Attention) []order.Outcome[order.Row] {
	rows, err := a.Orders.Attend(ctx, attentions)
	return all(attentions, rows, err)
}

// resolve may be repeated: the same word changes nothing.
func (a *Activities) resolve(ctx context.Context, resolvings []order.Resolving) []order.Outcome[order.Row] {
	rows, err := a.Orders.Resolve(ctx, resolvings)
	return all(resolvings, rows, err)
}
