//go:build unix

package orderdb_test

import (
	"errors"
	"slices"
	"testing"

	"holdfast/order"
	"holdfast/orderdb"
)

// A row was hard-deleted, and only a log line knew. The order must still reach its end, whether it was
// deleted with its lines or without.
func TestARowDeletedByHandWhileItsOrderIsUnderWay(t *testing.T) {
	for name, leaveLines := range map[string]bool{"with its lines": false, "without its lines": true} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, db *database) {
				db.meddled = true
				db.stocked(t, "mug", 10)
				db.stocked(t, "plate", 10)
				o := newOrder(t, 1, 0, order.Line{SKU: "mug", Quantity: 2}, order.Line{SKU: "plate", Quantity: 3})
				bystander := newOrder(t, 2, 1)
				db.open(t, o, bystander)
				db.exec(t, "DELETE FROM orders WHERE id = '"+string(o.ID)+"'")
				if !leaveLines {
					db.exec(t, "DELETE FROM order_lines WHERE order_id = '"+string(o.ID)+"'")
				}

				wantRows(t, must(db.Commit(t.Context(), keys(o)))(t), order.Row{Missing: true})
				lost := order.Closing{Order: o, Status: order.Rejected, Reason: order.ReasonRecordLost}
				end := order.Row{Status: order.Rejected, Reason: order.ReasonRecordLost}
				wantRows(t, must(db.Close(t.Context(), []order.Closing{lost}))(t), changed(end))
				if record := must(db.Get(t.Context(), o.ID))(t); !slices.Equal(record.Lines, o.Lines) {
					t.Errorf("on record is %+v", record)
				}
				if record := must(db.Get(t.Context(), bystander.ID))(t); !slices.Equal(record.Lines, bystander.Lines) {
					t.Errorf("the bystander became %+v", record)
				}
				wantRows(t, must(db.Commit(t.Context(), keys(bystander)))(t), changed(confirmed))
			})
		})
	}
}

// The same key may come again with another basket after its row was deleted: what is sold in the end
// must be the lines of the row that is there, not those that were left lying about.
func TestLinesLeftBehindByADeletedRowAreNotSold(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		db.stocked(t, "plate", 10)
		was := newOrder(t, 1, 0, order.Line{SKU: "mug", Quantity: 2}, order.Line{SKU: "plate", Quantity: 3})
		db.open(t, was)
		db.exec(t, "DELETE FROM orders")
		db.exec(t, "UPDATE stock SET reserved = 0")

		is := newOrder(t, 1, 0, order.Line{SKU: "mug", Quantity: 5})
		db.open(t, is, newOrder(t, 2, 1))
		if record := must(db.Get(t.Context(), is.ID))(t); !slices.Equal(record.Lines, is.Lines) {
			t.Errorf("on record is %+v", record)
		}
		wantRows(t, must(db.Commit(t.Context(), keys(is)))(t), changed(confirmed))
		db.wantStock(t, "mug", 5, 1)
		db.wantStock(t, "plate", 10, 0)
	})
}

// A stock row that does not allow what its orders ask for, because someone wrote to it, must not take
// the sale with it unnoticed: the batch fails as a whole, says which SKU, and may be repeated.
func TestAStockRowThatContradictsItsOrders(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		db.stocked(t, "plate", 10)
		o, bystander := newOrder(t, 1, 4), newOrder(t, 2, 0, order.Line{SKU: "plate", Quantity: 1})
		db.open(t, o, bystander)
		db.exec(t, "UPDATE stock SET reserved = 3 WHERE sku = 'mug'")
		_, err := db.Commit(t.Context(), keys(o, bystander))
		wantClass(t, err, order.Transient)
		_, err = db.Close(t.Context(), []order.Closing{cancelling(o), cancelling(bystander)})
		wantClass(t, err, order.Transient)
		for _, o := range []order.Order{o, bystander} {
			if record := must(db.Get(t.Context(), o.ID))(t); record.Status != order.Pending {
				t.Errorf("half of a failed batch took effect: %+v", record)
			}
		}
		db.exec(t, "UPDATE stock SET reserved = 4 WHERE sku = 'mug'")
		wantRows(t, must(db.Commit(t.Context(), keys(o, bystander)))(t), changed(confirmed), changed(confirmed))
	})
}

func TestADeletedSKUDoesNotHoldUpItsOrders(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		sold, closed := newOrder(t, 1, 4), newOrder(t, 2, 3)
		db.open(t, sold, closed)
		db.exec(t, "DELETE FROM stock")
		wantRows(t, must(db.Commit(t.Context(), keys(sold)))(t), changed(confirmed))
		wantRows(t, must(db.Close(t.Context(), []order.Closing{cancelling(closed)}))(t), changed(cancelled))
		if _, err := db.Get(t.Context(), newOrder(t, 3, 1).ID); !errors.Is(err, orderdb.ErrNotFound) {
			t.Errorf("an order that never was: %v", err)
		}
	})
}

// What was moved, sold and held before is still on record, and the books must go on from there.
func TestADeletedSKUIsCreatedAgain(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		sold, held := newOrder(t, 1, 4), newOrder(t, 2, 3)
		db.open(t, sold, held)
		must(db.Commit(t.Context(), keys(sold)))(t)
		for range 2 {
			db.exec(t, "DELETE FROM stock")
			if _, _, err := db.SetStock(t.Context(), "mug", orderdb.Setting{OnHand: 2}, 0); !errors.Is(err, orderdb.ErrBelowReserved) {
				t.Errorf("created with fewer units than are held: %v", err)
			}
			db.stocked(t, "mug", 20)
			db.wantStock(t, "mug", 20, 3)
			wantConserved(t, db)
		}
		if _, repeated, err := db.Receive(t.Context(), "mug", 5, "1", ""); err != nil || repeated {
			t.Errorf("a delivery: repeated %t, %v", repeated, err)
		}
		wantRows(t, must(db.Commit(t.Context(), keys(held)))(t), changed(confirmed))
		db.wantStock(t, "mug", 22, 0)
	})
}
