package flashsale

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"holdfast/order"
)

// What every line asks for.
const (
	Currency  = "EUR"
	unitPrice = 1999 // minor units
)

// Plan says what the shoppers order.
type Plan struct {
	// Run names the sale: it begins the keys of its orders, so that no two sales share one.
	Run string
	// Seed makes the mix. Sales with the same seed and otherwise the same plan order the same.
	Seed     uint32
	Shoppers int
	SKUs     []string
	Lines    Span // lines an order, each of another SKU
	Tokens   Mix
}

// Span is a range of whole numbers, both ends included.
type Span struct{ Min, Max int }

// Order is what one shopper orders, and the key that makes it one order.
type Order struct {
	Key           string
	CustomerID    string
	PaymentMethod string
	Lines         []order.Line
}

// Order gives the order of shopper i, from 0. It depends on nothing but the plan and i, and so not on who comes
// first.
func (p Plan) Order(i int) Order {
	rng := rand.New(rand.NewPCG(uint64(p.Seed), uint64(i))) //nolint:gosec // a mix that can be repeated is the point; i is never negative
	o := Order{
		Key:           fmt.Sprintf("flash-sale-%s-%d", p.Run, i+1),
		CustomerID:    fmt.Sprintf("shopper-%d", i+1),
		PaymentMethod: p.Tokens.pick(rng),
	}
	lines := p.Lines.Min + rng.IntN(p.Lines.Max-p.Lines.Min+1)
	for _, sku := range choose(rng, len(p.SKUs), lines) {
		o.Lines = append(o.Lines, order.Line{SKU: p.SKUs[sku], Quantity: 1, UnitPrice: unitPrice})
	}
	return o
}

// choose gives k different numbers below n, every choice as likely (Floyd's algorithm).
func choose(rng *rand.Rand, n, k int) []int {
	chosen := make([]int, 0, k)
	for last := n - k; last < n; last++ {
		candidate := rng.IntN(last + 1)
		if slices.Contains(chosen, candidate) {
			candidate = last
		}
		chosen = append(chosen, candidate)
	}
	return chosen
}

// SKUs names n SKUs: the name itself if it is one, else name-1 to name-n.
func SKUs(name string, n int) []string {
	if n == 1 {
		return []string{name}
	}
	skus := make([]string, n)
	for i := range skus {
		skus[i] = fmt.Sprintf("%s-%d", name, i+1)
	}
	return skus
}
