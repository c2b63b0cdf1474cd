package order_test

import (
	"errors"
	"slices"
	"testing"

	"holdfast/order"
)

// request is the input of order.New.
type request struct {
	customer, key string
	currency      order.Currency
	payment       string
	lines         []order.Line
}

// good is a request with nothing wrong in it, each time a new copy.
func good() request {
	return request{
		customer: "alice", key: "key-1", currency: "EUR", payment: "tok_ok",
		lines: []order.Line{{SKU: "mug", Quantity: 2, UnitPrice: 1999}, {SKU: "plate", Quantity: 1, UnitPrice: 500}},
	}
}

func (r request) order() (order.Order, error) {
	return order.New(r.customer, r.key, r.currency, r.payment, r.lines)
}

// placed makes the order of a request that must be accepted.
func placed(t *testing.T, r request) order.Order {
	t.Helper()
	o, err := r.order()
	if err != nil {
		t.Fatalf("a good request was refused: %v", err)
	}
	return o
}

// wantProblem checks that the error names the field, or, if field is empty, that there is no error.
func wantProblem(t *testing.T, err error, field string) {
	t.Helper()
	if field == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	invalid, ok := errors.AsType[*order.ValidationError](err)
	if !ok {
		t.Fatalf("got %v, want a ValidationError that names %s", err, field)
	}
	if !slices.ContainsFunc(invalid.Problems, func(p order.Problem) bool { return p.Field == field && p.Message != "" }) {
		t.Errorf("got %v, want a problem with %s", err, field)
	}
}
