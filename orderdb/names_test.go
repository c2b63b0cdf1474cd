//go:build unix

package orderdb_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"holdfast/order"
	"holdfast/orderdb"
)

// MySQL's default collations take mug, Mug and "mug " for one and the same.
func TestNamesCompareByteByByte(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 10)
		db.stocked(t, "Mug", 20)
		got := must(db.Available(t.Context(), []string{"mug", "Mug", "MUG", "mug ", " mug", "mug\x00", "mu"}))(t)
		if want := (map[string]order.Available{"mug": {Units: 10, Version: 1}, "Mug": {Units: 20, Version: 1}}); !maps.Equal(got, want) {
			t.Errorf("available are %v", got)
		}
		if stocks := must(db.GetStocks(t.Context(), []string{"mug "}))(t); len(stocks) != 0 {
			t.Errorf(`"mug " is %v`, stocks)
		}

		o := newOrder(t, 1, 0, order.Line{SKU: "Mug", Quantity: 5}, order.Line{SKU: "mug", Quantity: 1})
		db.open(t, o)
		db.wantStock(t, "mug", 10, 1)
		db.wantStock(t, "Mug", 20, 5)
		if _, err := db.Open(t.Context(), openings(newOrder(t, 2, 0, order.Line{SKU: "MUG", Quantity: 1}))); err != nil {
			t.Error(err)
		}

		for _, id := range []order.ID{order.ID(strings.ToUpper(string(o.ID))), o.ID + " ", " " + o.ID, o.ID[:len(o.ID)-1]} {
			if r, err := db.Get(t.Context(), id); !errors.Is(err, orderdb.ErrNotFound) {
				t.Errorf("%q is %+v, %v", id, r, err)
			}
			if ends := must(db.EndsOf(t.Context(), []order.ID{id}))(t); len(ends) != 0 {
				t.Errorf("%q ended as %v", id, ends)
			}
		}
		for _, customer := range []string{"Alice", "alice ", "alic"} {
			if records := must(db.List(t.Context(), orderdb.Filter{CustomerID: customer, Limit: 10}))(t); len(records) != 0 {
				t.Errorf("%q has %d orders", customer, len(records))
			}
		}

		for _, reference := range []string{"ref", "Ref", "ref ", " ref", "réf", "ref\t"} {
			if _, repeated, err := db.Receive(t.Context(), "mug", 1, reference, ""); err != nil || repeated {
				t.Errorf("reference %q: repeated %t, %v", reference, repeated, err)
			}
		}
		if _, created, err := db.SetStock(t.Context(), "mug ", orderdb.Setting{OnHand: 1}, 0); err != nil || !created {
			t.Errorf(`"mug ": created %t, %v`, created, err)
		}
	})
}
