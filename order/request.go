package order

import "time"

// Key is all that a step needs to find an order's row and to know it for the right one.
type Key struct {
	ID          ID          `json:"id"`
	Fingerprint Fingerprint `json:"fingerprint"`
}

// Key gives the order's key.
func (o Order) Key() Key { return Key{ID: o.ID, Fingerprint: o.Fingerprint()} }

// Opening asks Open to record an order as PENDING and to hold its units, or, if Redis refused it and
// no row says otherwise, to record it as REJECTED.
type Opening struct {
	Order       Order       `json:"order"`
	Reservation Reservation `json:"reservation"`
	// WorkflowID is the workflow that carries the order.
	WorkflowID string `json:"workflow_id"`
	// TakesOver: from now on that workflow is the one to look at, whichever wrote the row.
	TakesOver bool `json:"takes_over,omitempty"`
}

// Closing asks Close to undo what the row holds.
type Closing struct {
	Order      Order  `json:"order"`
	Status     Status `json:"status"` // Rejected or Cancelled
	Reason     Reason `json:"reason"`
	Detail     string `json:"detail,omitempty"`
	WorkflowID string `json:"workflow_id"` // recorded where Close has to write the row itself
}

// Conclusion asks Conclude to end a PENDING order as its payment was decided.
type Conclusion struct {
	Key     Key     `json:"key"`
	Payment Payment `json:"payment"` // Approved or Declined
}

// Charging asks Charge for the order's total.
type Charging struct {
	Order Order `json:"order"`
	// OpenedAt is when the row was first written, before any charge was sent: what bounds the age of
	// the idempotency key at the provider.
	OpenedAt time.Time `json:"opened_at"`
	// First tells that nobody can have sent a charge for this order before.
	First bool `json:"first"`
}

// Held is an order whose row holds its units, or has sold them.
type Held struct {
	Order Order
	Holds []Hold
	// New tells that the row was written just now, so that the reservation was made for it.
	New bool
}

// Releasing asks Release to give the reserved units back in Redis.
type Releasing struct {
	Order Order `json:"order"`
	// Taken tells that units were taken for the order in Redis or in MySQL, or may have been: if its
	// reservation is gone, nothing is known of the count any more.
	Taken bool `json:"taken"`
	// NotTaken are SKUs of which Redis took nothing for the order, nevertheless.
	NotTaken []string `json:"not_taken,omitempty"`
	// Holds tells when the row held the units. Empty if it never did.
	Holds []Hold `json:"holds,omitempty"`
	// Foreign tells that the order id belongs to another order: only what this one got is given back,
	// and nothing is blocked.
	Foreign bool `json:"foreign,omitempty"`
}

// Attention asks for a person, or, with an empty reason, says that none is needed any more.
type Attention struct {
	Key    Key    `json:"key"`
	Reason string `json:"reason"`
	// Was is the reason that is taken back where Reason is empty: another's stays. Empty takes back any.
	Was string `json:"was,omitempty"`
}
