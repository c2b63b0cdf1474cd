//go:build unix

package orderdb_test

import (
	"fmt"
	"testing"

	"holdfast/order"
	"holdfast/orderdb"
)

// TestTheLinesOfAHotSKUAreAddedUpInParts, of SKUs that have fewer together, and of none.
func TestTheLinesOfAHotSKUAreAddedUpInParts(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		for _, sku := range []string{"cup", "jug", "mug", "pan", "pot"} {
			db.stocked(t, sku, 100)
		}
		const orders = 10
		for i := range orders {
			lines := []order.Line{{SKU: "mug", Quantity: 2, UnitPrice: 1}}
			if i < 2 {
				lines = append(lines, order.Line{SKU: "jug", Quantity: 1, UnitPrice: 1}, order.Line{SKU: "pan", Quantity: 3, UnitPrice: 1})
			}
			o := newOrder(t, fmt.Sprint("sold-", i), 0, lines...)
			db.open(t, o)
			must(db.Commit(t.Context(), keys(o)))(t)
		}
		db.open(t, newOrder(t, "held", 5))
		got := must(db.Balances(t.Context(), "", 10))(t)
		want := map[string]orderdb.Balance{
			"cup": {}, "jug": {Sold: 2}, "mug": {Sold: 2 * orders, Held: 5}, "pan": {Sold: 6}, "pot": {},
		}
		for _, b := range got {
			if w := want[b.SKU]; b.Sold != w.Sold || b.Held != w.Held || b.Moved != 100 {
				t.Errorf("%s: %d moved in, %d sold, %d held; want 100, %d, %d", b.SKU, b.Moved, b.Sold, b.Held, w.Sold, w.Held)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d balances, want %d", len(got), len(want))
		}
	})
}
