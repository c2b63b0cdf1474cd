package flashsale

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Mix is payment methods by weight.
type Mix []Share

// Share is a payment method, and how often it comes beside the others.
type Share struct {
	PaymentMethod string
	Weight        int
}

// maxWeight keeps every sum of weights within an int32.
const maxWeight = 1_000_000

// ParseMix reads a mix such as tok_ok=90,tok_declined=10. A method without a weight weighs 1.
func ParseMix(text string) (Mix, error) {
	var m Mix
	seen := make(map[string]bool)
	for part := range strings.SplitSeq(text, ",") {
		method, weight, weighted := strings.Cut(strings.TrimSpace(part), "=")
		share := Share{PaymentMethod: method, Weight: 1}
		if weighted {
			n, err := strconv.Atoi(weight)
			if err != nil || n < 0 || n > maxWeight {
				return nil, fmt.Errorf("the weight %q of %s must be a whole number from 0 to %d", weight, method, maxWeight)
			}
			share.Weight = n
		}
		switch {
		case method == "":
			return nil, fmt.Errorf("%q must be payment methods by weight, such as tok_ok=90,tok_declined=10", text)
		case seen[method]:
			return nil, fmt.Errorf("%s stands there twice", method)
		}
		seen[method] = true
		m = append(m, share)
	}
	if m.total() == 0 {
		return nil, errors.New("at least one payment method must have a weight")
	}
	return m, nil
}

func (m Mix) total() int {
	total := 0
	for _, share := range m {
		total += share.Weight
	}
	return total
}

// pick draws a method by weight.
func (m Mix) pick(rng *rand.Rand) string {
	drawn := rng.IntN(m.total())
	for _, share := range m {
		if drawn -= share.Weight; drawn < 0 {
			return share.PaymentMethod
		}
	}
	panic("a draw beyond the sum of the weights")
}

// ParseSpan reads a number, or a range such as 1-3. Both ends are at least 1.
func ParseSpan(text string) (Span, error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	low, err1 := strconv.Atoi(from)
	high, err2 := strconv.Atoi(to)
	if err1 != nil || err2 != nil || low < 1 || high < low {
		return Span{}, fmt.Errorf("%q must be a number from 1, or a range such as 1-3", text)
	}
	return Span{low, high}, nil
}
