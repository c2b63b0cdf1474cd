package flashsale

import "time"

// Outcome is what became of an order, or what one answer says of it.
type Outcome int

// The outcomes.
const (
	none Outcome = iota // no answer yet

	// Confirmed orders are paid, and their units sold.
	Confirmed
	// Declined orders were closed because their payment was.
	Declined
	// SoldOut orders are on record, and were closed for lack of units.
	SoldOut
	// TurnedAway orders were refused as sold out before anything was started.
	TurnedAway
	// Closed orders ended otherwise, such as with a payment that expired.
	Closed
	// Pending orders are on record and have no end yet.
	Pending
	// Unknown orders may have been started: their answer was lost, or said that nobody knows.
	Unknown
	// Full orders were not started, because the API had too many.
	Full
	// Unreached orders were not sent, because there was no connection.
	Unreached
	// Failed orders were answered something that is no outcome of an order, such as that the request is wrong.
	Failed
)

// Outcomes lists them in the order of a report.
func Outcomes() []Outcome {
	return []Outcome{Confirmed, Declined, SoldOut, TurnedAway, Closed, Pending, Unknown, Full, Unreached, Failed}
}

// String gives the outcome's name, in snake case.
func (o Outcome) String() string {
	return [...]string{
		"none", "confirmed", "declined", "sold_out", "turned_away", "closed",
		"pending", "unknown", "full", "unreached", "failed",
	}[o]
}

// Definite tells whether the outcome is the order's end for its shopper, so that no repeat is due.
func (o Outcome) Definite() bool {
	switch o {
	case Confirmed, Declined, SoldOut, TurnedAway, Closed, Failed:
		return true
	case none, Pending, Unknown, Full, Unreached:
		return false
	}
	return false
}

// tells ranks the outcomes that are not definite by how much they say.
func (o Outcome) tells() int {
	switch o {
	case Pending:
		return 3
	case Unknown:
		return 2
	case Full, Unreached:
		return 1
	case none, Confirmed, Declined, SoldOut, TurnedAway, Closed, Failed:
		return 0
	}
	return 0
}

// Answer is what one request for an order came to.
type Answer struct {
	Outcome Outcome
	// RetryAfter is what the answer asked for; 0 if nothing.
	RetryAfter time.Duration
	// Words say what the trouble was; empty if there was none.
	Words string
}
