package activities

import (
	"context"
	"fmt"

	"holdfast/order"
)

// open may be repeated: a row that is there already is the answer. Where Redis may count units that the
// rows say are not to be had, the count is deleted before open answers. A failure to do so repeats open
// as a whole, which then finds its own row, and deletes to be sure.
func (a *Activities) open(ctx context.Context, openings []order.Opening) []order.Outcome[order.Row] {
	rows, err := a.Orders.Open(ctx, openings)
	if err == nil {
		a.Metrics.count(rows)
		if err = a.correct(ctx, openings, rows); err != nil {
			err = fmt.Errorf("delete counts that the order database contradicts: %w", err)
		}
	}
	return all(openings, rows, err)
}

// correct compares what Redis reserved with what the rows hold.
func (a *Activities) correct(ctx context.Context, openings []order.Opening, rows []order.Row) error {
	var held []order.Order
	var disputed []string
	for i, row := range rows {
		opening := openings[i]
		switch {
		case row.Changed && row.Status == order.Pending:
			// The count may have been loaded since the units were reserved.
			held = append(held, opening.Order)
		case row.Changed && opening.Reservation.Holds && !opening.Reservation.Refused():
			// Redis reserved units that the row's guard refused.
			disputed = append(disputed, opening.Order.SKUs()...)
		case !row.Changed && !row.KeyReused && opening.Reservation.Holds:
			// The row was there before: the count may have been loaded without its units, and have
			// been taken from for them once more.
			disputed = append(disputed, opening.Order.SKUs()...)
		}
	}
	if err := a.Stock.Verify(ctx, held); err != nil {
		return err
	}
	return a.Stock.Forget(ctx, disputed)
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
