package audit

import (
	"context"
	"maps"
	"slices"

	"holdfast/order"
	"holdfast/payment"
)

// addLedger reads the whole ledger and adds up the money of the window's orders. It returns how many
// entries there were.
func (r *run) addLedger(ctx context.Context, w *window) (entries int, err error) {
	for after := int64(0); ; {
		var next int64
		batch, err := ask(ctx, r, PaymentLedger, func() (batch []payment.Entry, err error) {
			batch, next, err = r.cfg.Ledger.Ledger(ctx, after, payment.MaxPage)
			return batch, err
		})
		if err != nil {
			return 0, err
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

// addRowless takes up money whose order has no row.
func (r *run) addRowless(ctx context.Context, w *window, unknown map[order.ID]int64) error {
	maps.DeleteFunc(unknown, func(_ order.ID, net int64) bool { return net == 0 }) // charged and reversed
	accounts, err := r.rowless(ctx, w, slices.Collect(maps.Keys(unknown)))
	for id, a := range accounts {
		a.net = unknown[id]
	}
	return err
}

func signed(e payment.Entry) int64 {
	if e.Kind == payment.KindReversal {
		return -e.Amount.Minor
	}
	return e.Amount.Minor
}
