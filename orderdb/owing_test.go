//go:build unix

package orderdb_test

import (
	"testing"
	"time"

	"holdfast/order"
)

// TestWhatIsOwedIsCountedByWhatIsOwed: PENDING and closed orders by status, those that wait for Kafka apart from them, and settled
// ones nowhere.
func TestWhatIsOwedIsCountedByWhatIsOwed(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.OweEvents()
		db.stocked(t, "mug", 100)
		began := time.Now().Add(-time.Second)
		pending, closed := newOrder(t, "pending", 1), newOrder(t, "closed", 1)
		db.open(t, pending, closed)
		must(db.Close(t.Context(), []order.Closing{{Order: closed, Status: order.Rejected, Reason: order.ReasonPaymentDeclined}}))(t)
		db.sold(t, "sold", 3)

		owed := must(db.Owed(t.Context(), 100))(t)
		for status, want := range map[order.Status]int64{order.Pending: 1, order.Rejected: 1, order.Confirmed: 0, order.Cancelled: 0} {
			got := owed[status]
			if got.Orders != want || (want > 0) != got.Since.After(began) {
				t.Errorf("%s: %+v, want %d", status, got, want)
			}
		}
		if some := must(db.Owed(t.Context(), 1))(t); len(some) != 1 || some[order.Pending].Orders != 1 {
			t.Errorf("of the oldest: %+v", some)
		}
		orders, receipts, err := db.Untold(t.Context(), 2)
		if err != nil || orders.Orders != 2 || !orders.Since.After(began) || receipts.Orders != 0 || !receipts.Since.IsZero() {
			t.Errorf("untold: %+v and %+v, %v", orders, receipts, err)
		}
		if _, _, err := db.Receive(t.Context(), "mug", 5, "delivery-1", ""); err != nil {
			t.Fatal(err)
		}
		if _, receipts, err = db.Untold(t.Context(), 2); err != nil || receipts.Orders != 1 || !receipts.Since.After(began) {
			t.Errorf("untold receipts: %+v, %v", receipts, err)
		}
	})
}

// TestWhatTheWarehouseDoesNotHave: what no hand-off took, what was assigned and not delivered; not what it rejected.
func TestWhatTheWarehouseDoesNotHave(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		if left := must(db.ToHandOff(t.Context()))(t); !left.Oldest.IsZero() || left.Pages != 0 || !left.Cutoff.IsZero() {
			t.Errorf("of nothing: %+v", left)
		}
		orders := db.sold(t, "sold", 3)
		first := must(db.Get(t.Context(), orders[0].ID))(t)
		if left := must(db.ToHandOff(t.Context()))(t); !left.Oldest.Equal(first.CreatedAt) || !left.Changed.After(left.Oldest) || left.Pages != 0 {
			t.Errorf("before: %+v, want %s", left, first.CreatedAt)
		}
		cutoff := time.Now().UTC().Truncate(time.Microsecond)
		assigned := db.assign(t, page("h", 1), cutoff, 2)
		late := db.sold(t, "late", 1)
		left := must(db.ToHandOff(t.Context()))(t)
		placed := must(db.Get(t.Context(), late[0].ID))(t).CreatedAt
		if !left.Oldest.Equal(placed) || left.Pages != 1 || left.Orders != 2 || !left.Cutoff.Equal(cutoff) {
			t.Errorf("assigned: %+v, want the oldest of %s", left, placed)
		}
		db.assign(t, page("h", 2), later, 2)
		must(db.Deliver(t.Context(), page("h", 1), []order.Refusal{{ID: assigned[0], Reason: "too heavy"}}))(t)
		must(db.Deliver(t.Context(), page("h", 2), nil))(t)
		if left := must(db.ToHandOff(t.Context()))(t); !left.Oldest.IsZero() || left.Pages != 0 {
			t.Errorf("afterwards: %+v", left)
		}
	})
}
