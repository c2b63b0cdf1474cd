package order_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/order"
)

func TestEveryLimitAtItsEdge(t *testing.T) {
	t.Parallel()
	const allowed = ""
	tests := []struct {
		name   string
		change func(*request)
		field  string // the one that must be named; empty if the request is allowed
	}{
		{"no units", func(r *request) { r.lines[0].Quantity = 0 }, "lines[0].quantity"},
		{"fewer than no units", func(r *request) { r.lines[1].Quantity = -1 }, "lines[1].quantity"},
		{"one unit", func(r *request) { r.lines[0].Quantity = 1 }, allowed},
		{"the most units", func(r *request) { r.lines[0].Quantity = 10_000 }, allowed},
		{"one unit too many", func(r *request) { r.lines[0].Quantity = 10_001 }, "lines[0].quantity"},
		{"as many units as a number holds", func(r *request) { r.lines[0].Quantity = 1<<63 - 1 }, "lines[0].quantity"},

		{"a price below nothing", func(r *request) { r.lines[0].UnitPrice = -1 }, "lines[0].unit_price"},
		{"the lowest number as a price", func(r *request) { r.lines[0].UnitPrice = -1 << 63 }, "lines[0].unit_price"},
		{"a gift", func(r *request) { r.lines = []order.Line{{SKU: "mug", Quantity: 1}} }, allowed},
		{"the highest price", only(1, 1<<53-1), allowed},
		{"a price too high", only(1, 1<<53), "lines[0].unit_price"},
		{"the highest number as a price", only(1, 1<<63-1), "lines[0].unit_price"},

		{"the highest total", only(10_000, (1<<53-1)/10_000), allowed},
		{"a total too high", only(10_000, (1<<53-1)/10_000+1), "lines"},
		{"twice the highest price", only(2, 1<<53-1), "lines"},
		{"a product that wraps around to below nothing", only(2_048, 1<<53-1), "lines"},
		{"a product that wraps around to a small sum", only(4_096, 1<<52), "lines"},
		{"the highest total in two lines", func(r *request) { r.lines[0], r.lines[1] = line("mug", 1, 1<<52), line("plate", 1, 1<<52-1) }, allowed},
		{"a total too high in two lines", func(r *request) { r.lines[0], r.lines[1] = line("mug", 1, 1<<52), line("plate", 1, 1<<52) }, "lines"},
		{"a hundred lines that wrap around together", func(r *request) { r.lines = many(100, 10_000, 1<<53-1) }, "lines"},

		{"no lines", func(r *request) { r.lines = nil }, "lines"},
		{"the most SKUs", func(r *request) { r.lines = many(100, 1, 1) }, allowed},
		{"one SKU too many", func(r *request) { r.lines = many(101, 1, 1) }, "lines"},

		{"a currency that is none", func(r *request) { r.currency = "XXX" }, "currency"},
		{"a currency in small letters", func(r *request) { r.currency = "eur" }, "currency"},
		{"no currency", func(r *request) { r.currency = "" }, "currency"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := good()
			test.change(&r)
			o, err := r.order()
			wantProblem(t, err, test.field)
			if err != nil && (o.ID != "" || o.Lines != nil) {
				t.Errorf("a refused request made the order %v", o)
			}
			if err == nil && (o.Total().Minor < 0 || o.Total().Minor > order.MaxAmount) {
				t.Errorf("the total is %s", o.Total())
			}
		})
	}
}

func only(quantity, price int64) func(*request) {
	return func(r *request) { r.lines = []order.Line{line("mug", quantity, price)} }
}

func line(sku string, quantity, price int64) order.Line {
	return order.Line{SKU: sku, Quantity: quantity, UnitPrice: price}
}

// many makes lines of n SKUs.
func many(n int, quantity, price int64) []order.Line {
	lines := make([]order.Line, n)
	for i := range lines {
		lines[i] = line(fmt.Sprintf("sku-%d", i), quantity, price)
	}
	return lines
}

func TestShapesOfNames(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("a", n) }
	fields := map[string]struct {
		set        func(*request, string)
		right      []string
		wrong      []string
		fieldNamed string
	}{
		"SKU": {
			set:        func(r *request, s string) { r.lines = []order.Line{line(s, 1, 1)} },
			right:      []string{"a", "0", "Mug-1.x_Y", long(64)},
			wrong:      []string{"", long(65), "-mug", ".mug", "_mug", "mu g", "mug ", " mug", "mug\n", "{mug}", "mug}", "müg", "mug:1", "a/b", "\x00"},
			fieldNamed: "lines[0].sku",
		},
		"customer": {
			set:        func(r *request, s string) { r.customer = s },
			right:      []string{"a", "7", "alice@example.com", "user:1+x-y_z", long(64)},
			wrong:      []string{"", long(65), "@alice", "+1", "alice ", " alice", "al ice", "alice\n", "älice", "a/b", "a,b"},
			fieldNamed: "customer_id",
		},
		"payment method": {
			set:        func(r *request, s string) { r.payment = s },
			right:      []string{"t", "tok_ok", "pm-1.2", long(128)},
			wrong:      []string{"", long(129), "_tok", "tok ok", "tok_ok\n", "tok:1", "tök"},
			fieldNamed: "payment_method",
		},
		"key": {
			set:        func(r *request, s string) { r.key = s },
			right:      []string{"k", "!", "~", `"quoted"`, "{}", long(255)},
			wrong:      []string{"", long(256), "a b", "a\n", "\x7f", "ключ", "\t"},
			fieldNamed: "Idempotency-Key",
		},
	}
	for name, field := range fields {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, text := range field.right {
				r := good()
				field.set(&r, text)
				if _, err := r.order(); err != nil {
					t.Errorf("%q was refused: %v", text, err)
				}
			}
			for _, text := range field.wrong {
				r := good()
				field.set(&r, text)
				if _, err := r.order(); err == nil {
					t.Errorf("%q was accepted", text)
				} else {
					wantProblem(t, err, field.fieldNamed)
				}
			}
		})
	}
}

func TestASKUAloneHasTheSameShape(t *testing.T) {
	t.Parallel()
	wantProblem(t, order.CheckSKU("mug.1"), "")
	wantProblem(t, order.CheckSKU("mug "), "sku")
	wantProblem(t, order.CheckSKU("{mug}"), "sku")
}

func TestEverythingThatIsWrongIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := order.New("", "", "", "", []order.Line{{SKU: "", Quantity: 0, UnitPrice: -1}})
	for _, field := range []string{
		"customer_id", "Idempotency-Key", "currency", "payment_method", "lines[0].sku", "lines[0].quantity", "lines[0].unit_price",
	} {
		wantProblem(t, err, field)
		if !strings.Contains(err.Error(), field+": ") {
			t.Errorf("the message does not name %s: %v", field, err)
		}
	}
}
