package order

import (
	"slices"
	"time"
)

// Outcome is what a step has to say of one order: its definite answer, or the failure for which
// there is none yet.
type Outcome[T any] struct {
	Answer  T        `json:"answer"`
	Failure *Failure `json:"failure,omitempty"` // nil if the answer is definite
}

// Decided is an outcome with a definite answer.
func Decided[T any](answer T) Outcome[T] { return Outcome[T]{Answer: answer} }

// Undecided is an outcome without an answer; err must not be nil.
func Undecided[T any](err error) Outcome[T] { return Outcome[T]{Failure: AsFailure(err)} }

// Verdict is an answer in one word.
type Verdict string

// The verdicts of Reserve and Charge.
const (
	Reserved   Verdict = "reserved"
	SoldOut    Verdict = "sold_out"
	UnknownSKU Verdict = "unknown_sku"
	// LimitExceeded: the customer would have more units of a SKU than one customer may.
	LimitExceeded Verdict = "limit_exceeded"
	// Released: this order's reservation was released before. Only the row can say what that means.
	Released Verdict = "released"
	// KeyReused: the same order id was met with another fingerprint. Which of the two is the order, only
	// the row can say.
	KeyReused Verdict = "key_reused"
	// Unreserved: Redis could not be asked, and the order goes on without. Only the row decides.
	Unreserved Verdict = "unreserved"

	Approved Verdict = "approved"
	Declined Verdict = "declined"
	// SettledNotCharged: a person has said that the customer was not charged and will not be.
	SettledNotCharged Verdict = "settled_not_charged"
	// PaymentPending: the provider has the charge on record and decides later. No money has moved yet, and a
	// look-up tells when it has.
	PaymentPending Verdict = "pending"
)

// Reservation is Reserve's answer.
type Reservation struct {
	Verdict Verdict `json:"verdict"`
	// SKUs are those that are sold out, unknown or beyond their limit; empty for other verdicts.
	SKUs []string `json:"skus,omitempty"`
	// AlsoRefused are SKUs that were refused for another reason than the verdict's.
	AlsoRefused []string `json:"also_refused,omitempty"`
	// Taken tells that units of a line are, or may be, reserved in Redis, whatever the verdict for the whole order.
	Taken bool `json:"taken,omitempty"`
}

// Refused tells whether the order cannot be served, as far as Redis knows. It is not the order's
// answer: Open decides that.
func (r Reservation) Refused() bool {
	return r.Verdict == SoldOut || r.Verdict == UnknownSKU || r.Verdict == LimitExceeded
}

// NotTaken lists the SKUs of which Redis took nothing for the order.
func (r Reservation) NotTaken() []string { return append(slices.Clip(r.SKUs), r.AlsoRefused...) }

// Payment is Charge's answer.
type Payment struct {
	Verdict Verdict `json:"verdict"`          // Approved, Declined or PaymentPending; in a workflow SettledNotCharged as well
	Reason  string  `json:"reason,omitempty"` // the provider's word for why it declined
	// DecideBy is when an order gives up a payment that is still pending. Charge sets it, for PaymentPending alone.
	DecideBy time.Time `json:"decide_by,omitzero"`
}

// Row is what an order's MySQL row says, which is what every step that writes it answers.
type Row struct {
	Status Status `json:"status"`
	Reason Reason `json:"reason,omitempty"`
	// Detail is the reason's particulars in words: the SKUs that were sold out, why a payment was
	// declined. Empty if there are none.
	Detail string `json:"detail,omitempty"`
	// KeyReused: the row has another fingerprint. The other fields are then zero.
	KeyReused bool `json:"key_reused,omitempty"`
	// Missing: there is no row. The other fields are then zero.
	Missing bool `json:"missing,omitempty"`
	// Changed tells that this very call gave the row its status.
	Changed bool `json:"changed,omitempty"`
	// Held tells that the row held units at some time, so that closing it gave them back.
	Held bool `json:"held,omitempty"`
	// Settled tells that nothing is owed for the order any more.
	Settled bool `json:"settled,omitempty"`
	// OwesEvent tells that others are still to be told of the status. It is the last thing to be owed.
	OwesEvent bool `json:"owes_event,omitempty"`
	// ByHand is what a person said of the charge: Charged, NotCharged, or empty if nobody was needed.
	ByHand Answer `json:"by_hand,omitempty"`
	// CreatedAt is when the row was first written. No charge was sent before.
	CreatedAt time.Time `json:"created_at,omitzero"`
	// Holds tells for each SKU when the row held units of it. Open, Commit, Close and Cancel answer it for closed rows
	// that did.
	Holds []Hold `json:"holds,omitempty"`
}

// Hold is the time in which a row held units of a SKU, by the clock that counts the changes of that SKU's
// stock row: its version. A count that was loaded from a version within it does without the units.
type Hold struct {
	SKU  string `json:"sku"`
	From int64  `json:"from"` // the first version that held the units
	// Until is the first version that had them back. 0 if that has not happened, or is not known any more.
	Until int64 `json:"until,omitempty"`
}

// Releasing is what Release needs to know of a closed order: taken and notTaken are what the asker knows of Redis.
func (r Row) Releasing(o Order, taken bool, notTaken []string) Releasing {
	if r.Held {
		taken, notTaken = true, nil // Redis may refuse now what the row had held before
	}
	return Releasing{Order: o, Taken: taken, NotTaken: notTaken, Holds: r.Holds}
}
