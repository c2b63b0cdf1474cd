package activities

import (
	"context"

	"holdfast/order"
)

// Stock is the fast front in which units are counted down. It may be slow, wrong, empty or gone; no
// promise rests on it.
type Stock interface {
	// Reserve counts the units of each order down, once for each order and SKU however often it is
	// asked. Outcomes stand in the order of the argument. A failure leaves open what was reserved. While the
	// front is away the answer is order.Unreserved, and what comes after is corrected when it is back.
	Reserve(ctx context.Context, orders []order.Order) []order.Outcome[order.Reservation]
	// Release gives the units of closed orders back, once, and blocks a Reserve that arrives late. Outcomes
	// stand in the order of the argument.
	Release(ctx context.Context, releases []order.Releasing) []order.Outcome[order.Verdict]
	// Align makes the counts do without the units that the orders' rows hold or have sold, once, whatever was
	// reserved from which count.
	Align(ctx context.Context, held []order.Held) error
	// Forget deletes the counts of the SKUs, so that the next Reserve loads them afresh.
	Forget(ctx context.Context, skus []string) error
}

// Orders is the arbiter of every order and every unit. Each call is one transaction on all the orders
// that it is given: an error means that its effect is unknown, and that the same call may be repeated.
// Rows stand in the order of the argument.
type Orders interface {
	// Open records each order and holds its units, unless a row is there already.
	Open(ctx context.Context, openings []order.Opening) ([]order.Row, error)
	// Commit confirms each PENDING order; its units leave the stock.
	Commit(ctx context.Context, keys []order.Key) ([]order.Row, error)
	// Close ends each PENDING order and gives its units back. Where no row is, it writes a closed one,
	// which stops a late Open.
	Close(ctx context.Context, closings []order.Closing) ([]order.Row, error)
	// Cancel ends each PENDING or CONFIRMED order as CANCELLED and makes its units available again. A confirmed order was
	// settled; it is not any more, since its charge has to be reversed.
	Cancel(ctx context.Context, keys []order.Key) ([]order.Row, error)
	// Settle records of closed orders that nothing is owed for them any more, and that none needs a person.
	Settle(ctx context.Context, keys []order.Key) ([]order.Row, error)
	// Attend records whether an order needs a person, and why. A settled order needs none.
	Attend(ctx context.Context, attentions []order.Attention) ([]order.Row, error)
	// Resolve keeps what a person said of the charge of an order that is not settled. The last word stands.
	Resolve(ctx context.Context, resolvings []order.Resolving) ([]order.Row, error)
}

// Payments is the payment provider. Errors carry an order.Class; one that may have had an effect is
// order.Unknown.
type Payments interface {
	// Charge takes the amount under the order id as reference. The same order never pays twice, as
	// long as the provider remembers the key. order.PaymentPending promises that the charge is on record: LookUp
	// finds it from then on, and once it is decided tells the same for good.
	Charge(ctx context.Context, id order.ID, amount order.Amount, paymentMethod string) (order.Payment, error)
	// LookUp asks what became of a charge of that amount. It returns nil if the provider knows none; one
	// of another amount is no answer but order.Unknown.
	LookUp(ctx context.Context, id order.ID, amount order.Amount) (*order.Payment, error)
	// Reverse makes the order's net charge zero and keeps it zero: a charge that is still on its way, or
	// pending, takes no money once Reverse has returned. One that is approved meanwhile is given back before.
	Reverse(ctx context.Context, id order.ID) error
}
