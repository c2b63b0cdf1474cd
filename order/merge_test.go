package order_test

import (
	"fmt"
	"slices"
	"testing"

	"holdfast/order"
)

func TestLinesOfOneSKUAreSummedAndSorted(t *testing.T) {
	t.Parallel()
	r := good()
	r.lines = []order.Line{
		{SKU: "plate", Quantity: 1, UnitPrice: 500},
		{SKU: "mug", Quantity: 2, UnitPrice: 1999},
		{SKU: "Mug", Quantity: 4, UnitPrice: 7},
		{SKU: "mug", Quantity: 3, UnitPrice: 1999},
	}
	given := slices.Clone(r.lines)
	o := placed(t, r)
	want := []order.Line{
		{SKU: "Mug", Quantity: 4, UnitPrice: 7},
		{SKU: "mug", Quantity: 5, UnitPrice: 1999},
		{SKU: "plate", Quantity: 1, UnitPrice: 500},
	}
	if !slices.Equal(o.Lines, want) {
		t.Errorf("merged to %v, want %v", o.Lines, want)
	}
	if total := o.Total(); total != (order.Amount{Minor: 4*7 + 5*1999 + 500, Currency: "EUR"}) {
		t.Errorf("the total is %s", total)
	}
	if skus := o.SKUs(); !slices.Equal(skus, []string{"Mug", "mug", "plate"}) {
		t.Errorf("the SKUs are %v", skus)
	}
	if !slices.Equal(r.lines, given) {
		t.Errorf("the caller's lines were changed to %v", r.lines)
	}
	if err := o.Validate(); err != nil {
		t.Errorf("a new order is not in normal form: %v", err)
	}
}

func TestOneSKUAtTwoPricesIsRefused(t *testing.T) {
	t.Parallel()
	r := good()
	r.lines = []order.Line{{SKU: "mug", Quantity: 1, UnitPrice: 5}, {SKU: "plate", Quantity: 1}, {SKU: "mug", Quantity: 1, UnitPrice: 6}}
	_, err := r.order()
	wantProblem(t, err, "lines[2].unit_price")
}

func TestLimitsHoldForTheSumOfMergedLines(t *testing.T) {
	t.Parallel()
	half := order.Line{SKU: "mug", Quantity: order.MaxQuantity / 2, UnitPrice: 1}
	r := good()
	r.lines = []order.Line{half, half}
	if got := placed(t, r).Lines[0].Quantity; got != order.MaxQuantity {
		t.Errorf("two halves are %d units", got)
	}
	r.lines = append(r.lines, order.Line{SKU: "mug", Quantity: 1, UnitPrice: 1})
	_, err := r.order()
	wantProblem(t, err, "lines")
}

func TestEveryLineIsCheckedBeforeItIsMerged(t *testing.T) {
	t.Parallel()
	// The sums of these are within every limit.
	for name, quantities := range map[string][2]int64{
		"more than the most, less than nothing": {order.MaxQuantity + 1, -1},
		"nothing beside something":              {1, 0},
		"less than nothing beside something":    {3, -1},
		"sums that wrap around":                 {-1 << 63, -1<<63 + 1},
	} {
		r := good()
		r.lines = nil
		for _, q := range quantities {
			r.lines = append(r.lines, order.Line{SKU: "mug", Quantity: q, UnitPrice: 1})
		}
		if o, err := r.order(); err == nil {
			t.Errorf("%s: accepted as %v", name, o.Lines)
		}
	}
}

func TestManyLinesOfFewSKUsAreAllowed(t *testing.T) {
	t.Parallel()
	r := good()
	r.lines = nil
	for i := range 5 * order.MaxLines {
		r.lines = append(r.lines, order.Line{SKU: fmt.Sprintf("sku-%d", i%order.MaxLines), Quantity: 1, UnitPrice: 3})
	}
	if o := placed(t, r); len(o.Lines) != order.MaxLines || o.Total().Minor != 5*order.MaxLines*3 {
		t.Errorf("merged to %d lines, total %s", len(o.Lines), o.Total())
	}
	r.lines = append(r.lines, order.Line{SKU: "one-too-many", Quantity: 1, UnitPrice: 3})
	_, err := r.order()
	wantProblem(t, err, "lines")
}
