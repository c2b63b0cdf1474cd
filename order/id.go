package order

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
)

// ID names an order everywhere: the row's key, the reservation's key, the payment's reference and,
// behind "order/", the workflow's id.
type ID string

// idPrefix stands before the digest, so that an order id is known for one wherever it is met.
const idPrefix = "ord_"

var (
	idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	idShape    = regexp.MustCompile(`^ord_[a-z2-7]{26}$`)
)

// NewID derives the id from the customer and the Idempotency-Key, so that a repeated request finds
// its order everywhere without a look-up table. 128 bits of the digest make a clash out of question.
func NewID(customerID, idempotencyKey string) ID {
	h := sha256.New()
	writeField(h, customerID)
	writeField(h, idempotencyKey)
	return ID(idPrefix + idEncoding.EncodeToString(h.Sum(nil)[:16]))
}

// ParseID checks the shape of an id that came from outside.
func ParseID(s string) (ID, error) {
	if !idShape.MatchString(s) {
		return "", invalid("id", "must be ord_ and 26 characters of a-z and 2-7")
	}
	return ID(s), nil
}

// Digest is the id without its prefix, for keys in which every byte counts.
func (id ID) Digest() string { return string(id[len(idPrefix):]) }
