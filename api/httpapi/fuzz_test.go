package httpapi

import (
	"strings"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
)

// FuzzCursor: no text makes a cursor panic. What is taken for a place is one that a page could have given, and no cursor fits
// another filter or another list.
func FuzzCursor(f *testing.F) {
	filter := (&ordersRequest{CustomerID: "ada"}).digest()
	other := (&ordersRequest{CustomerID: "bob"}).digest()
	for _, seed := range []string{
		orderCursor(orderdb.Position{CreatedAt: time.Unix(1_800_000_000, 0), ID: order.NewID("ada", "k")}, filter),
		stockCursor("mug"), "", "bw", "!!", strings.Repeat("A", 1000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		if place, ok := parseOrderCursor(cursor, filter); ok {
			if again, ok := parseOrderCursor(orderCursor(place, filter), filter); !ok || again != place {
				t.Errorf("%q is %+v, and then %+v", cursor, place, again)
			}
			if _, ok := parseOrderCursor(cursor, other); ok {
				t.Errorf("%q fits two filters", cursor)
			}
			if _, ok := parseStockCursor(cursor); ok {
				t.Errorf("%q fits two lists", cursor)
			}
		}
		if sku, ok := parseStockCursor(cursor); ok {
			if again, ok := parseStockCursor(stockCursor(sku)); !ok || again != sku || order.CheckSKU(sku) != nil {
				t.Errorf("%q is %q, and then %q", cursor, sku, again)
			}
		}
	})
}
