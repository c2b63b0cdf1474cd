package activities

import (
	"context"
	"fmt"

	"holdfast/order"
)

// open may be repeated: a row that is there already is the answer. Where the row shows that Redis
// counted wrong, the count is deleted before open answers; a failure to do so repeats open as a
// whole, which then finds its own row and deletes once more, to no harm.
func (a *Activities) open(ctx context.Context, openings []order.Opening) []order.Outcome[order.Row] {
	rows, err := a.Orders.Open(ctx, openings)
	if err == nil {
		a.Metrics.count(rows)
		if err = a.Stock.Forget(ctx, disputed(openings, rows)); err != nil {
			err = fmt.Errorf("forget counts that the order database contradicts: %w", err)
		}
	}
	return all(openings, rows, err)
}

// disputed lists the SKUs whose count in Redis cannot be right: units were reserved there that the
// row's guard refused, or were reserved anew for an order whose row was there before.
func disputed(openings []order.Opening, rows []order.Row) []string {
	var skus []string
	for i, row := range rows {
		reservation := openings[i].Reservation
		guardRefused := row.Changed && row.Status.Closed() && !reservation.Refused()
		countedTwice := !row.Changed && !row.KeyReused && reservation.New
		if guardRefused || countedTwice {
			skus = append(skus, openings[i].Order.SKUs()...)
		}
	}
	return skus
}

// close may be repeated, and run before a late open, which it then stops.
func (a *Activities) close(ctx context.Context, closings []order.Closing) []order.Outcome[order.Row] {
	rows, err := a.Orders.Close(ctx, closings)
	if err == nil {
		a.Metrics.count(rows)
	}
	return all(closings, rows, err)
}

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
