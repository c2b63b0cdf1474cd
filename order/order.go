// Package order is the domain: what an order is, which states it goes through, and how steps answer
// for it. It knows nothing of Redis, MySQL, HTTP or Temporal and imports only the standard library;
// every other package may import it.
package order

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"slices"
)

// Order is one customer's request to buy, in its normal form: lines merged and sorted by SKU. Make
// one with New; Validate tells whether a decoded one is in that form.
type Order struct {
	ID         ID       `json:"id"`
	CustomerID string   `json:"customer_id"`
	Currency   Currency `json:"currency"`
	// PaymentMethod is the provider's token for how the customer pays. It is kept on the row, so that
	// an order can be carried to its end from the row alone.
	PaymentMethod string `json:"payment_method"`
	Lines         []Line `json:"lines"`
}

// Line is a number of units of one SKU at one price.
type Line struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`   // units, 1 to MaxQuantity
	UnitPrice int64  `json:"unit_price"` // minor units of the order's currency, 0 to MaxAmount
}

// New makes the order of a request: it checks every input, merges the lines of one SKU and derives
// the id from customer and key. The error is a *ValidationError that names each wrong field.
func New(customerID, idempotencyKey string, currency Currency, paymentMethod string, lines []Line) (Order, error) {
	o := Order{
		ID:            NewID(customerID, idempotencyKey),
		CustomerID:    customerID,
		Currency:      currency,
		PaymentMethod: paymentMethod,
	}
	problems := checkIdempotencyKey(idempotencyKey)
	merged, lineProblems := mergeLines(lines)
	o.Lines = merged
	problems = append(problems, o.checkFields()...)
	problems = append(problems, lineProblems...)
	if len(lineProblems) == 0 {
		problems = append(problems, o.checkLines()...)
	}
	if len(problems) > 0 {
		return Order{}, &ValidationError{Problems: problems}
	}
	return o, nil
}

// mergeLines adds up the lines of one SKU and sorts them. Each line is checked before it is merged,
// so that no sum can hide a line that is wrong by itself.
func mergeLines(lines []Line) ([]Line, []Problem) {
	var problems []Problem
	bySKU := make(map[string]Line, len(lines))
	for i, line := range lines {
		if p := line.check(lineField(i)); len(p) > 0 {
			problems = append(problems, p...)
			continue
		}
		seen, again := bySKU[line.SKU]
		if again && seen.UnitPrice != line.UnitPrice {
			problems = append(problems, Problem{
				Field:   lineField(i) + ".unit_price",
				Message: "the SKU " + line.SKU + " stands in another line at another price",
			})
			continue
		}
		line.Quantity += seen.Quantity
		bySKU[line.SKU] = line
	}
	merged := make([]Line, 0, len(bySKU))
	for _, line := range bySKU {
		merged = append(merged, line)
	}
	slices.SortFunc(merged, func(a, b Line) int { return cmp.Compare(a.SKU, b.SKU) })
	return merged, problems
}

// Total is the sum of the lines. It is exact for an order that Validate accepts.
func (o Order) Total() Amount {
	var sum int64
	for _, line := range o.Lines {
		sum += line.Quantity * line.UnitPrice
	}
	return Amount{Minor: sum, Currency: o.Currency}
}

// SKUs lists the SKUs of the lines, in their order.
func (o Order) SKUs() []string {
	skus := make([]string, len(o.Lines))
	for i, line := range o.Lines {
		skus[i] = line.SKU
	}
	return skus
}

// Fingerprint identifies what was ordered. It travels beside the order id: the same id with another
// fingerprint is another request under a used key, and whoever finds that touches nothing.
type Fingerprint string

// Fingerprint digests the normalised request: 128 bits in 22 characters of unpadded base64url.
func (o Order) Fingerprint() Fingerprint {
	h := sha256.New()
	writeField(h, o.CustomerID)
	writeField(h, string(o.Currency))
	writeField(h, o.PaymentMethod)
	for _, line := range o.Lines {
		writeField(h, line.SKU)
		writeNumber(h, line.Quantity)
		writeNumber(h, line.UnitPrice)
	}
	return Fingerprint(base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16]))
}

// writeField writes the length first, so that ("ab", "c") and ("a", "bc") digest differently.
func writeField(h hash.Hash, s string) {
	writeNumber(h, int64(len(s)))
	_, _ = h.Write([]byte(s)) // a hash never returns an error
}

func writeNumber(h hash.Hash, n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n)) //nolint:gosec // a digest takes the bits as they are
	_, _ = h.Write(b[:])
}
