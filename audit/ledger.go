package audit

import (
	"context"

	"holdfast/order"
	"holdfast/payment"
)

// addLedger reads the whole ledger and adds up the money of the window's orders. It returns how many
// entries there were.
func (r *run) addLedger(ctx context.Context, w *window) (entries int, err error) {
	for after := int64(0); ; {
		batch, next, err := r.cfg.Ledger.Ledger(ctx, after, payment.MaxPage)
		if err != nil {
			return 0, unreadable(PaymentLedger, err)
		}
		entries += len(batch)
		unknown := w.add(batch)
		if err := r.addRowless(ctx, w, unknown); err != nil {
			return 0, err
		}
		if next == 0 {
			return entries, nil
		}
		after = next
	}
}

func (w *window) covers(id order.ID) bool { return id > w.after && (id <= w.upTo || w.last) }

// add adds up a page of the ledger, and returns the money of orders in the window that it does not know.
func (w *window) add(batch []payment.Entry) (unknown map[order.ID]int64) {
	for _, e := range batch {
		id := order.ID(e.Reference)
		if !w.covers(id) {
			continue
		}
		if a := w.accounts[id]; a != nil {
			a.net += signed(e)
			if a.status != "" && e.Amount.Currency != a.currency {
				a.odd += signed(e)
			}
			continue
		}
		if _, err := order.ParseID(e.Reference); err != nil {
			w.foreign++ // what shares the account with us is none of our business
			continue
		}
		if unknown == nil {
			unknown = make(map[order.ID]int64)
		}
		unknown[id] += signed(e)
	}
	return unknown
}

// addRowless takes up money whose order has no row. Most orders that a window does not know are only
// younger than it, and the next audit's business.
func (r *run) addRowless(ctx context.Context, w *window, unknown map[order.ID]int64) error {
	if len(unknown) == 0 {
		return nil
	}
	ids := make([]order.ID, 0, len(unknown))
	for id := range unknown {
		ids = append(ids, id)
	}
	ends, err := r.cfg.Orders.EndsOf(ctx, ids)
	if err != nil {
		return unreadable(OrderDatabase, err)
	}
	for _, end := range ends {
		delete(unknown, end.ID)
	}
	for id, net := range unknown {
		if net == 0 {
			continue // charged and reversed
		}
		if w.rowless++; w.rowless > maxRowless {
			r.report.Omitted++
			continue
		}
		w.accounts[id] = &account{net: net}
	}
	return nil
}

func signed(e payment.Entry) int64 {
	if e.Kind == payment.KindReversal {
		return -e.Amount.Minor
	}
	return e.Amount.Minor
}
