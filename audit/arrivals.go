package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"holdfast/order"
	"holdfast/warehouse"
)

// addArrivals reads all that the warehouse has, and counts what belongs to the window. Orders were read before: one that was handed
// off then, the warehouse now shows.
func (r *run) addArrivals(ctx context.Context, w *window) error {
	if r.cfg.Warehouse == nil {
		return nil
	}
	entries := 0
	for after := int64(0); ; {
		var next int64
		batch, err := ask(ctx, r, WarehouseBook, func() (batch []warehouse.Arrival, err error) {
			batch, next, err = r.cfg.Warehouse.Arrivals(ctx, after, warehouse.MaxPage)
			return batch, err
		})
		if err != nil {
			return err
		}
		entries += len(batch)
		unknown := make(map[order.ID]int)
		for _, a := range batch {
			if known := w.accounts[a.ID]; known != nil {
				known.arrivals++
			} else if w.covers(a.ID) {
				unknown[a.ID]++
			}
		}
		accounts, err := r.rowless(ctx, w, slices.Collect(maps.Keys(unknown)))
		if err != nil {
			return err
		}
		for id, a := range accounts {
			a.arrivals = unknown[id]
		}
		if next == 0 {
			r.report.Checked.Arrivals = entries
			return nil
		}
		after = next
	}
}

// followArrivals reads the row, looks whether the order is on a page, and reads the row again. An order that moved in between
// is in flight, and proves nothing. What has arrived stays so, and of that there is no second look.
func (r *run) followArrivals(ctx context.Context, id order.ID, arrivals int) error {
	if r.full() {
		return nil
	}
	before, err := r.end(ctx, id)
	if err != nil {
		return err
	}
	assigned, err := ask(ctx, r, OrderDatabase, func() (bool, error) { return r.cfg.Orders.Assigned(ctx, id) })
	if err != nil {
		return err
	}
	after, err := r.end(ctx, id)
	if err != nil {
		return err
	}
	if before.status != after.status {
		return nil
	}
	if kind, message := judgeArrivals(after, assigned, arrivals); kind != "" {
		r.violationf(kind, string(id), "%s", message)
	}
	return nil
}

// judgeArrivals says what is wrong with where an order is. One that is CONFIRMED and on a page is on its way.
func judgeArrivals(s standing, assigned bool, arrivals int) (kind Kind, message string) {
	switch {
	case arrivals > 1:
		return DeliveredTwice, fmt.Sprintf("the warehouse has the order %d times", arrivals)
	case s.status == order.HandedOff && arrivals == 0:
		return NotDelivered, "the order is HANDED_OFF, and the warehouse does not have it"
	case arrivals == 0 || s.status == order.HandedOff || s.status == order.Confirmed && assigned:
		return "", ""
	case s.status == "":
		return DeliveredWrongly, "the warehouse has an order that has no row"
	}
	return DeliveredWrongly, fmt.Sprintf("the warehouse has the order, which is %s and was not given to it", s.status)
}
