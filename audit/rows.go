package audit

import (
	"context"
	"fmt"
	"slices"

	"holdfast/order"
	"holdfast/orderdb"
)

// rows holds a page of orders against their own lines, and looks a second time at those that do not fit.
// A row and its lines are one snapshot, and one transaction writes them.
func (r *run) rows(ctx context.Context, ends []orderdb.End) error {
	var suspects []order.ID
	for _, end := range ends {
		if len(faults(end)) > 0 && !r.full() {
			suspects = append(suspects, end.ID)
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	again, err := r.endsOf(ctx, suspects)
	if err != nil {
		return err
	}
	for _, end := range again {
		for _, f := range faults(end) {
			r.violationf(f.Kind, string(end.ID), "%s", f.Message)
		}
	}
	return nil
}

// faults says what is wrong with an order's row, whatever its money does.
func faults(end orderdb.End) []Violation {
	var found []Violation
	if end.Purged {
		return nil
	}
	if end.Lines == 0 {
		found = append(found, Violation{Kind: OrderWithoutLines, Message: fmt.Sprintf("the order is %s and has no lines", end.Status)})
	} else if end.Total != end.LineTotal {
		found = append(found, Violation{Kind: TotalDiffers, Message: fmt.Sprintf("the order's total is %d, and its lines come to %d", end.Total, end.LineTotal)})
	}
	if message := impossible(end); message != "" {
		found = append(found, Violation{Kind: ImpossibleState, Message: message})
	}
	return found
}

// impossible says which state that no transition writes a row is in; it is empty if there is none. A closed order may
// be settled or not, and every other status goes with one of them only.
func impossible(end orderdb.End) string {
	switch {
	case !slices.Contains(order.Statuses(), end.Status):
		return fmt.Sprintf("the order's status is %q, which there is not", end.Status)
	case end.Status == order.Pending && end.SettledAt != nil:
		return "the order is PENDING and settled"
	case end.Status.Closed() && end.Reason == "":
		return fmt.Sprintf("the order is %s without a reason", end.Status)
	case !end.Status.Closed() && end.Reason != "":
		return fmt.Sprintf("the order is %s, and %q is the reason why it was closed", end.Status, end.Reason)
	}
	return ""
}

// lostLines finds orders whose row somebody deleted, in a range of ids. upTo "" is no end.
func (r *run) lostLines(ctx context.Context, after, upTo order.ID) error {
	look := func() ([]order.ID, error) {
		return ask(ctx, r, OrderDatabase, func() ([]order.ID, error) { return r.cfg.Orders.LostLines(ctx, after, upTo, page) })
	}
	lost, err := look()
	if err != nil || len(lost) == 0 {
		return err
	}
	again, err := look()
	if err != nil {
		return err
	}
	for _, id := range again {
		if slices.Contains(lost, id) && !r.full() {
			r.violationf(LinesWithoutOrder, string(id), "there are lines for the order, but no row")
		}
	}
	return nil
}
