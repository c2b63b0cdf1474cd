//go:build unix

package orderdb_test

import (
	"testing"

	"holdfast/order"
)

var settledCancelled = order.Row{Status: order.Cancelled, Reason: order.ReasonRequested, Held: true, Settled: true}

func TestACancelledSaleIsRestockedOnceAndOwesItsCharge(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 3)
		db.open(t, o)
		must(db.Commit(t.Context(), keys(o)))(t)
		db.wantStock(t, "mug", 7, 0)
		wantRows(t, must(db.Cancel(t.Context(), keys(o)))(t), changed(cancelled))
		wantRows(t, must(db.Cancel(t.Context(), keys(o)))(t), cancelled)
		wantRows(t, must(db.Commit(t.Context(), keys(o)))(t), cancelled)
		db.wantStock(t, "mug", 10, 0)
		if r := must(db.Get(t.Context(), o.ID))(t); r.SettledAt != nil {
			t.Errorf("a cancelled sale is settled before its charge is reversed: %+v", r)
		}
		wantRows(t, must(db.Settle(t.Context(), keys(o)))(t), changed(settledCancelled))
		wantRows(t, must(db.Cancel(t.Context(), keys(o)))(t), settledCancelled)
	})
}

// The versions tell Redis from which of its counts the units are missing, be they held or sold.
func TestACancellationTellsWhenTheRowHadTheUnits(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10) // version 1
		open, sold := newOrder(t, "open", 1), newOrder(t, "sold", 2)
		db.open(t, open)                                          // 2
		db.open(t, sold)                                          // 3
		must(db.Commit(t.Context(), keys(sold)))(t)               // 4
		rows := must(db.Cancel(t.Context(), keys(open, sold)))(t) // 5
		for i, want := range []order.Hold{{SKU: "mug", From: 2, Until: 5}, {SKU: "mug", From: 3, Until: 5}} {
			if got := rows[i].Holds; len(got) != 1 || got[0] != want {
				t.Errorf("order %d: %+v, want %+v", i, got, want)
			}
		}
		db.wantStock(t, "mug", 10, 0)
	})
}

func TestACancellationInABatchLeavesOtherEndsAlone(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 20)
		open, sold, rejected, gone := newOrder(t, "open", 1), newOrder(t, "sold", 2), newOrder(t, "rejected", 3), newOrder(t, "gone", 4)
		db.open(t, open, sold, rejected, gone)
		must(db.Commit(t.Context(), keys(sold, gone)))(t)
		must(db.Close(t.Context(), []order.Closing{rejecting(rejected)}))(t)
		db.exec(t, "UPDATE orders SET status = 'HANDED_OFF' WHERE id = '"+string(gone.ID)+"'")
		handedOff := order.Row{Status: order.HandedOff, Held: true, Settled: true}
		never, other := newOrder(t, "never", 1), newOrder(t, "open", 9)
		wantRows(t, must(db.Cancel(t.Context(), keys(never, sold, rejected, gone, open, open, other)))(t),
			order.Row{Missing: true}, changed(cancelled), declined, handedOff, changed(cancelled), cancelled, order.Row{KeyReused: true})
		db.wantStock(t, "mug", 16, 0)
	})
}

func TestOfACommitAndACancellationTheCancellationStands(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const rounds = 30
		db.stocked(t, "mug", 100)
		for round := range rounds {
			o := newOrder(t, round, 3)
			db.open(t, o)
			rows := make([]order.Row, 3)
			atOnce(3, func(i int) {
				var got []order.Row
				var err error
				if (i+round)%3 == 0 {
					got, err = db.Commit(t.Context(), keys(o))
				} else {
					got, err = db.Cancel(t.Context(), keys(o))
				}
				if err != nil {
					t.Error(err)
					return
				}
				rows[i] = got[0]
			})
			wantOne(t, rows, func(row order.Row) bool { return row.Status == order.Cancelled && row.Changed })
			if r := must(db.Get(t.Context(), o.ID))(t); r.Status != order.Cancelled || r.SettledAt != nil {
				t.Errorf("round %d: on record is %+v", round, r)
			}
		}
		db.wantStock(t, "mug", 100, 0)
	})
}
