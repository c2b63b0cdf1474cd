package order_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"holdfast/order"
)

func TestADecodedOrderMustBeInNormalForm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*order.Order)
		field  string
	}{
		{"as New made it", func(*order.Order) {}, ""},
		{"lines out of order", func(o *order.Order) { slices.Reverse(o.Lines) }, "lines[1].sku"},
		{"one SKU in two lines", func(o *order.Order) { o.Lines[1].SKU = o.Lines[0].SKU }, "lines[1].sku"},
		{"a line that is wrong by itself", func(o *order.Order) { o.Lines[1].Quantity = 0 }, "lines[1].quantity"},
		{"too many units", func(o *order.Order) { o.Lines[0].Quantity = order.MaxQuantity + 1 }, "lines[0].quantity"},
		{"a price below nothing", func(o *order.Order) { o.Lines[0].UnitPrice = -1 }, "lines[0].unit_price"},
		{"prices that cancel out", func(o *order.Order) { o.Lines[0].UnitPrice, o.Lines[1].UnitPrice = -1<<62, order.MaxAmount }, "lines[0].unit_price"},
		{"a SKU that breaks out of its hash tag", func(o *order.Order) { o.Lines[0].SKU = "a}b" }, "lines[0].sku"},
		{"no lines", func(o *order.Order) { o.Lines = nil }, "lines"},
		{"a total too high", func(o *order.Order) { o.Lines[0].UnitPrice = order.MaxAmount }, "lines"},
		{"no id", func(o *order.Order) { o.ID = "" }, "id"},
		{"an id of another shape", func(o *order.Order) { o.ID += "a" }, "id"},
		{"no customer", func(o *order.Order) { o.CustomerID = "" }, "customer_id"},
		{"no payment method", func(o *order.Order) { o.PaymentMethod = "" }, "payment_method"},
		{"no currency", func(o *order.Order) { o.Currency = "" }, "currency"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := placed(t, good())
			test.change(&o)
			wantProblem(t, o.Validate(), test.field)
		})
	}
}

func TestAnOrderSurvivesItsJSON(t *testing.T) {
	t.Parallel()
	o := placed(t, good())
	encoded, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var decoded order.Order
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(decoded, o) || decoded.Key() != o.Key() {
		t.Errorf("%s became %+v", encoded, decoded)
	}
	wantProblem(t, decoded.Validate(), "")
}

func TestStatusesAreSoldOrClosedOrNeither(t *testing.T) {
	t.Parallel()
	type kind struct{ sold, closed bool }
	want := map[order.Status]kind{
		order.Pending: {}, order.Confirmed: {sold: true}, order.HandedOff: {sold: true},
		order.Rejected: {closed: true}, order.Cancelled: {closed: true},
	}
	for _, s := range order.Statuses() {
		expected, known := want[s]
		if !known || (kind{s.Sold(), s.Closed()}) != expected {
			t.Errorf("%s: sold %t, closed %t", s, s.Sold(), s.Closed())
		}
		delete(want, s)
	}
	if len(want) > 0 {
		t.Errorf("Statuses leaves out %v", want)
	}
}
