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
	// Conclude commits those PENDING orders that are paid, and closes those whose payment was declined. It writes no row
	// where there is none.
	Conclude(ctx context.Context, conclusions []order.Conclusion) ([]order.Row, error)
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
	// Resolve keeps what a person said of the charge of an order that is not settled, which then asks for none any more. The
	// last word stands.
	Resolve(ctx context.Context, resolvings []order.Resolving) ([]order.Row, error)
}

// Payments is the payment provider. Package payment/paymenttest holds an adapter to all that is said here.
//
// The class of an error tells what may have happened to the money. order.Transient: nothing was sent, or
// the provider turned the client itself away. order.Final: the provider read this very request and will
// never take it. All else is order.Unknown: time-outs, cancelled contexts, connections that break,
// 429 and 5xx, answers that are not the provider's or not about what was asked. No error is ever an
// answer, least of all a decline, and none shows the payment method.
type Payments interface {
	// Charge takes the amount under the order id as reference, at most once for each order as long as the
	// provider remembers the key, however often, at once or late it arrives. The answer is the provider's
	// own word: order.Approved of exactly this amount, order.Declined with a reason, or
	// order.PaymentPending. A repeat answers the same, but that pending is decided. Another amount under
	// the same id is order.Unknown; another payment method is no second charge.
	Charge(ctx context.Context, id order.ID, amount order.Amount, paymentMethod string) (order.Payment, error)
	// LookUp asks what became of a charge of that amount, whatever the provider has forgotten of its key. It
	// sees each charge from the moment the provider took it, approved, declined or pending, and a reversed one
	// as declined; once decided it tells the same until that is reversed. It returns nil only if
	// the provider itself says that it knows none. A charge of another amount is order.Unknown, and so is
	// every failure, even a refused dial: nothing was learned of the charge that was asked about.
	LookUp(ctx context.Context, id order.ID, amount order.Amount) (*order.Payment, error)
	// Reverse makes the order's net charge zero, once, and keeps it zero: a charge that is still on its way,
	// or pending, leaves no money taken once Reverse has returned. It is harmless where there is nothing to
	// reverse, and never fails order.Final, since an undo is not given up.
	//
	// Where the provider declines a charge that comes after its reversal, that is all. An adapter whose
	// provider cannot stop a late charge keeps the order unsettled: Reverse gives back what it finds, and is
	// order.Unknown until look-ups have found nothing more for the provider's longest request time.
	Reverse(ctx context.Context, id order.ID) error
}
