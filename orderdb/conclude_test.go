//go:build unix

package orderdb_test

import (
	"testing"
	"time"

	"holdfast/order"
)

func concluding(verdict order.Verdict, reason string, orders ...order.Order) []order.Conclusion {
	conclusions := make([]order.Conclusion, len(orders))
	for i, o := range orders {
		conclusions[i] = order.Conclusion{Key: o.Key(), Payment: order.Payment{Verdict: verdict, Reason: reason}}
	}
	return conclusions
}

func TestABatchIsCommittedAndClosedInOneTransaction(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		paid, other, broke, blocked := newOrder(t, "paid", 1), newOrder(t, "other", 2), newOrder(t, "broke", 4), newOrder(t, "blocked", 8)
		cancelledOne, never, stranger := newOrder(t, "cancelled", 16), newOrder(t, "never", 1), newOrder(t, "paid", 9)
		db.open(t, paid, other, broke, blocked, cancelledOne)
		must(db.Cancel(t.Context(), keys(cancelledOne)))(t)
		batch := concluding(order.Approved, "", never, other, cancelledOne, paid, stranger)
		batch = append(batch, concluding(order.Declined, "no funds", broke)...)
		batch = append(batch, concluding(order.Declined, "card blocked", blocked)...)
		batch = append(batch, concluding(order.Declined, "no funds", paid)...) // the same order again: the first decides
		cardBlocked := declined
		cardBlocked.Detail = "card blocked"
		for _, again := range []bool{false, true} {
			first := func(row order.Row) order.Row {
				row.Changed = !again
				return row
			}
			wantRows(t, must(db.Conclude(t.Context(), batch))(t),
				order.Row{Missing: true}, first(confirmed), cancelled, first(confirmed), order.Row{KeyReused: true},
				first(declined), first(cardBlocked), confirmed)
			db.wantStock(t, "mug", 97, 0)
		}
		for _, o := range []order.Order{broke, blocked} {
			if r := must(db.Get(t.Context(), o.ID))(t); r.SettledAt != nil {
				t.Errorf("a declined order is settled before its units are released: %+v", r)
			}
		}
		if _, err := db.Get(t.Context(), never.ID); err == nil {
			t.Error("a row was written where there was none")
		}
	})
}

func TestUnsettledOrdersAreCountedUpToALimit(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		open, sold := newOrder(t, "open", 1), newOrder(t, "sold", 1)
		db.open(t, open, sold, newOrder(t, "other", 1))
		must(db.Commit(t.Context(), keys(sold)))(t)
		later := time.Now().Add(time.Minute)
		for limit, want := range map[int]int{1: 1, 2: 2, 10: 2} {
			if n, err := db.CountUnsettled(t.Context(), later, limit); err != nil || n != want {
				t.Errorf("limit %d: counted %d, %v, want %d", limit, n, err, want)
			}
		}
		if n, err := db.CountUnsettled(t.Context(), time.Now().Add(-time.Minute), 10); err != nil || n != 0 {
			t.Errorf("counted %d that are young, %v", n, err)
		}
		found := must(db.GetMany(t.Context(), []order.ID{open.ID, sold.ID, newOrder(t, "never", 1).ID}))(t)
		if len(found) != 2 || found[open.ID].Status != order.Pending || found[sold.ID].Status != order.Confirmed {
			t.Errorf("found %+v", found)
		}
	})
}
