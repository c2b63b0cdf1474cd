package order_test

import (
	"testing"

	"holdfast/order"
)

// FuzzKey: any customer and Idempotency-Key are refused, or give an order whose id is well formed and that of no other pair.
func FuzzKey(f *testing.F) {
	f.Add("ada", "k", "ad", "ak")
	f.Add("", "k", "ada", "")
	f.Add("ada\x00", "k", "ada", "\x00k")
	f.Add("ada", "k\n", "ada", "k")
	f.Fuzz(func(t *testing.T, customer, key, otherCustomer, otherKey string) {
		id := order.NewID(customer, key)
		if parsed, err := order.ParseID(string(id)); err != nil || parsed != id {
			t.Errorf("%q is not read back: %q, %v", id, parsed, err)
		}
		if same := customer == otherCustomer && key == otherKey; (id == order.NewID(otherCustomer, otherKey)) != same {
			t.Errorf("%q/%q and %q/%q: the same id, or the same pair with two", customer, key, otherCustomer, otherKey)
		}
		o, err := order.New(customer, key, "EUR", "tok_ok", []order.Line{{SKU: "mug", Quantity: 1}})
		if err == nil && (o.ID != id || o.Validate() != nil) {
			t.Errorf("%q/%q made %+v, %v", customer, key, o, o.Validate())
		}
	})
}
