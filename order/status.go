package order

// Status is where an order stands, as its MySQL row reads. Every change is a compare-and-set on that
// row; whoever loses the race aligns with what the row says.
type Status string

// The statuses, each with how it is entered and what may follow.
const (
	// Pending is entered by Open, which holds the units. Commit or Close follows.
	Pending Status = "PENDING"
	// Confirmed is entered by Commit, the point of no return: the units are sold and the charge is
	// owed to nobody. Only a cancellation or the hand-off follows.
	Confirmed Status = "CONFIRMED"
	// HandedOff is entered when the warehouse has the order. Nothing follows.
	HandedOff Status = "HANDED_OFF"
	// Rejected is entered by Open for an order that cannot be served, or by Close. Nothing follows
	// but its settling.
	Rejected Status = "REJECTED"
	// Cancelled is entered by Close or Cancel on request. Nothing follows but its settling.
	Cancelled Status = "CANCELLED"
)

// Statuses lists every status.
func Statuses() []Status { return []Status{Pending, Confirmed, HandedOff, Rejected, Cancelled} }

// Sold tells whether the units have left the stock for good.
func (s Status) Sold() bool { return s == Confirmed || s == HandedOff }

// Closed tells whether the order was undone: its units came back and its charge must be reversed.
func (s Status) Closed() bool { return s == Rejected || s == Cancelled }

// Reason says why an order was rejected or cancelled; empty for every other status.
type Reason string

// The reasons.
const (
	ReasonSoldOut         Reason = "sold_out"
	ReasonUnknownSKU      Reason = "unknown_sku"
	ReasonLimitExceeded   Reason = "limit_exceeded"
	ReasonPaymentDeclined Reason = "payment_declined"
	// ReasonPaymentExpired: the provider had not decided by the deadline. What it decides later is reversed.
	ReasonPaymentExpired Reason = "payment_expired"
	// ReasonNotCharged: nobody could know what became of the charge, until a person settled that there is none.
	ReasonNotCharged Reason = "not_charged"
	// ReasonRequested: someone asked for the cancellation.
	ReasonRequested Reason = "requested"
	// ReasonRecordLost: the row had vanished by the time of the commit, so the order was undone.
	ReasonRecordLost Reason = "record_lost"
	// ReasonFailed: a step failed for good in a way that no repeat can mend.
	ReasonFailed Reason = "failed"
)
