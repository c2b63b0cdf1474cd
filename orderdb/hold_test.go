package orderdb_test

import (
	"slices"
	"testing"

	"holdfast/order"
)

// The version of a stock row is the clock by which Redis knows which orders a count does without.
func TestRowsTellWhenTheyHeldTheirUnits(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		db.stocked(t, "plate", 10)
		a := newOrder(t, "a", 0, order.Line{SKU: "mug", Quantity: 2}, order.Line{SKU: "plate", Quantity: 1})
		b, tooMuch := newOrder(t, "b", 3), newOrder(t, "too-much", 99)
		wantHolds := func(what string, got []order.Row, want ...[]order.Hold) {
			t.Helper()
			for i, row := range got {
				if !slices.Equal(row.Holds, want[i]) {
					t.Errorf("%s, row %d: %+v, want %+v", what, i, row.Holds, want[i])
				}
			}
		}
		heldA := []order.Hold{{SKU: "mug", From: 2}, {SKU: "plate", From: 2}}
		heldB := []order.Hold{{SKU: "mug", From: 2}}
		open := func() []order.Row {
			t.Helper()
			return must(db.Open(t.Context(), openings(a, b, tooMuch)))(t)
		}
		wantHolds("opened", open(), heldA, heldB, nil)
		wantVersion := func(sku string, want int64) {
			t.Helper()
			if got := must(db.Available(t.Context(), []string{sku}))(t)[sku].Version; got != want {
				t.Errorf("%s has version %d, want %d", sku, got, want)
			}
		}
		wantVersion("mug", 2) // one change for the whole batch
		wantVersion("plate", 2)
		wantHolds("opened again", open(), heldA, heldB, nil)

		must(db.Commit(t.Context(), keys(b)))(t)
		wantVersion("mug", 3)
		closing := func(o order.Order) []order.Closing {
			return []order.Closing{{Order: o, Status: order.Cancelled, Reason: order.ReasonRequested}}
		}
		given := []order.Hold{{SKU: "mug", From: 2, Until: 4}, {SKU: "plate", From: 2, Until: 3}}
		wantHolds("closed", must(db.Close(t.Context(), closing(a)))(t), given)
		wantVersion("mug", 4)
		wantVersion("plate", 3)
		wantHolds("closed again", must(db.Close(t.Context(), closing(a)))(t), heldA)
		wantHolds("sold", must(db.Close(t.Context(), closing(b)))(t), nil)
		wantHolds("committed too late", must(db.Commit(t.Context(), keys(a)))(t), heldA)
		wantHolds("never held", must(db.Close(t.Context(), closing(newOrder(t, "never", 1))))(t), nil)
	})
}

// A SKU whose row is deleted by hand and made anew goes on counting: orders on record know its old versions.
func TestVersionsNeverBeginAgain(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.meddled = true
		db.stocked(t, "mug", 10)
		o := newOrder(t, 1, 2)
		db.open(t, o)
		db.exec(t, "DELETE FROM stock WHERE sku = 'mug'")
		db.stocked(t, "mug", 10)
		if got := must(db.Available(t.Context(), []string{"mug"}))(t)["mug"]; got.Version <= 2 || got.Units != 8 {
			t.Errorf("the new row is %+v", got)
		}
	})
}
