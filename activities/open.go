package activities

import (
	"context"
	"fmt"

	"holdfast/order"
)

// open may be repeated: a row that is there already is the answer. Counts in Redis are made to agree with
// the rows before open answers. A failure to do so repeats open as a whole, which then finds its own row.
func (a *Activities) open(ctx context.Context, openings []order.Opening) []order.Outcome[order.Row] {
	rows, err := a.openRows(ctx, openings)
	if err == nil {
		a.Metrics.count(rows)
		if err = a.correct(ctx, openings, rows); err != nil {
			err = fmt.Errorf("make the counts in Redis agree with the order database: %w", err)
		}
	}
	return all(openings, rows, err)
}

func (a *Activities) openRows(ctx context.Context, openings []order.Opening) ([]order.Row, error) {
	leave, err := a.DirectOpens.enter(ctx, openings)
	if err != nil {
		return nil, err
	}
	defer leave()
	return a.Orders.Open(ctx, openings)
}

// correct makes the counts agree with rows that hold units or have sold them, and deletes those that gave
// units to an order which its row's guard then refused.
func (a *Activities) correct(ctx context.Context, openings []order.Opening, rows []order.Row) error {
	var held []order.Held
	var disputed []string
	for i, row := range rows {
		opening := openings[i]
		switch {
		case row.Status == order.Pending, row.Status.Sold():
			held = append(held, order.Held{Order: opening.Order, Holds: row.Holds, New: row.Changed})
			rows[i].Holds = nil // of no use to the workflow, whose history would keep them
		case row.Reason == order.ReasonLimitExceeded: // Redis knows of no orders from before its count: that is not wrong
		case row.Changed && opening.Reservation.Taken && !opening.Reservation.Refused():
			disputed = append(disputed, opening.Order.SKUs()...)
		}
	}
	if err := a.Stock.Align(ctx, held); err != nil {
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
