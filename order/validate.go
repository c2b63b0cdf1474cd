package order

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Limits of an order. They bound the work and the bytes that one request can cost.
const (
	MaxLines    = 100    // lines after merging; one script and one row each
	MaxQuantity = 10_000 // units of one line
	// maxKeyLength is the longest Idempotency-Key in bytes; what payment providers commonly take.
	maxKeyLength = 255
	// MaxUnits is the most units a SKU can have. It stays below 1e14, from where Redis's Lua prints
	// numbers in exponent form.
	MaxUnits int64 = 1_000_000_000_000
	// MaxLimitPerCustomer is the highest limit of one customer's units. Redis remembers each order that counts
	// towards it.
	MaxLimitPerCustomer int64 = 1000
)

var (
	// skuShape has no braces: a SKU stands inside a Redis Cluster hash tag.
	skuShape      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	customerShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,63}$`)
	paymentShape  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	keyShape      = regexp.MustCompile(`^[!-~]{1,255}$`)
)

// Problem is one thing that is wrong with an input.
type Problem struct {
	Field   string `json:"field"` // the JSON path or header, such as "lines[2].quantity"
	Message string `json:"message"`
}

// ValidationError says everything that is wrong with an input. Nothing was changed.
type ValidationError struct{ Problems []Problem }

// Error names the fields, in one line.
func (e *ValidationError) Error() string {
	parts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		parts[i] = p.Field + ": " + p.Message
	}
	return strings.Join(parts, "; ")
}

func invalid(field, message string) error {
	return &ValidationError{Problems: []Problem{{Field: field, Message: message}}}
}

// Validate checks that the order is in normal form and within the limits. The error is a
// *ValidationError.
func (o Order) Validate() error {
	problems := append(o.checkFields(), o.checkLines()...)
	for i, line := range o.Lines {
		problems = append(problems, line.check(lineField(i))...)
		if i > 0 && o.Lines[i-1].SKU >= line.SKU {
			problems = append(problems, Problem{lineField(i) + ".sku", "lines must be merged and sorted by SKU"})
		}
	}
	if !idShape.MatchString(string(o.ID)) {
		problems = append(problems, Problem{"id", "must be ord_ and 26 characters of a-z and 2-7"})
	}
	if len(problems) > 0 {
		return &ValidationError{Problems: problems}
	}
	return nil
}

func (o Order) checkFields() []Problem {
	var problems []Problem
	add := func(field, message string) { problems = append(problems, Problem{field, message}) }
	if !customerShape.MatchString(o.CustomerID) {
		add("customer_id", "must be 1 to 64 characters of A-Z, a-z, 0-9 and . _ : @ + -, the first a letter or digit")
	}
	if !o.Currency.Known() {
		add("currency", "must be an active ISO 4217 code such as EUR")
	}
	if !paymentShape.MatchString(o.PaymentMethod) {
		add("payment_method", "must be 1 to 128 characters of A-Z, a-z, 0-9 and . _ -, the first a letter or digit")
	}
	return problems
}

// checkLines covers what concerns the lines together, once they are merged and each is right by itself.
func (o Order) checkLines() []Problem {
	var problems []Problem
	add := func(format string, args ...any) {
		problems = append(problems, Problem{"lines", fmt.Sprintf(format, args...)})
	}
	if len(o.Lines) == 0 {
		add("must have at least one line")
	}
	if len(o.Lines) > MaxLines {
		add("must have at most %d different SKUs", MaxLines)
	}
	for _, line := range o.Lines {
		if line.Quantity > MaxQuantity {
			add("asks for more than %d units of %s in all", MaxQuantity, line.SKU)
		}
	}
	if o.totalOverflows() {
		add("total more than %d minor units", MaxAmount)
	}
	return problems
}

func (l Line) check(field string) []Problem {
	var problems []Problem
	if !skuShape.MatchString(l.SKU) {
		problems = append(problems, Problem{field + ".sku", skuMessage})
	}
	if l.Quantity < 1 || l.Quantity > MaxQuantity {
		problems = append(problems, Problem{field + ".quantity", fmt.Sprintf("must be 1 to %d", MaxQuantity)})
	}
	if l.UnitPrice < 0 || l.UnitPrice > MaxAmount {
		problems = append(problems, Problem{field + ".unit_price", fmt.Sprintf("must be 0 to %d minor units", MaxAmount)})
	}
	return problems
}

const skuMessage = "must be 1 to 64 characters of A-Z, a-z, 0-9 and . _ -, the first a letter or digit"

// totalOverflows adds up without ever passing MaxAmount, so that nothing can wrap around.
func (o Order) totalOverflows() bool {
	left := MaxAmount
	return slices.ContainsFunc(o.Lines, func(l Line) bool {
		if l.Quantity > 0 && l.UnitPrice > left/l.Quantity {
			return true
		}
		left -= l.Quantity * l.UnitPrice
		return false
	})
}

// CheckSKU tells whether the text has the shape of a SKU. The error is a *ValidationError.
func CheckSKU(sku string) error {
	if !skuShape.MatchString(sku) {
		return invalid("sku", skuMessage)
	}
	return nil
}

func checkIdempotencyKey(key string) []Problem {
	switch {
	case key == "":
		return []Problem{{"Idempotency-Key", "is missing; send one key for each order, and the same one again for a repeat"}}
	case !keyShape.MatchString(key):
		return []Problem{{"Idempotency-Key", fmt.Sprintf("must be 1 to %d visible ASCII characters", maxKeyLength)}}
	}
	return nil
}

func lineField(i int) string { return fmt.Sprintf("lines[%d]", i) }
