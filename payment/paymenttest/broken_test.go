package paymenttest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/activities"
	"holdfast/order"
)

// takesTimeoutsForDeclines.
type takesTimeoutsForDeclines struct{ activities.Payments }

func (a takesTimeoutsForDeclines) Charge(ctx context.Context, id order.ID, amount order.Amount, method string) (order.Payment, error) {
	got, err := a.Payments.Charge(ctx, id, amount, method)
	if err != nil && classOf(err) == order.Unknown {
		return order.Payment{Verdict: order.Declined, Reason: "timeout"}, nil
	}
	return got, err
}

// classes gives each failure another class.
type classes struct {
	activities.Payments

	charge, lookUp, reverse func(order.Class) order.Class
}

func as(class order.Class) func(order.Class) order.Class {
	return func(order.Class) order.Class { return class }
}

// doubtAs leaves refused dials and refusals alone.
func doubtAs(to order.Class) func(order.Class) order.Class {
	return func(class order.Class) order.Class {
		if class == order.Unknown {
			return to
		}
		return class
	}
}

func failAs(err error, as func(order.Class) order.Class) error {
	if err == nil || as == nil {
		return err
	}
	return order.Failf(as(classOf(err)), "%w", err)
}

func (a classes) Charge(ctx context.Context, id order.ID, amount order.Amount, method string) (order.Payment, error) {
	got, err := a.Payments.Charge(ctx, id, amount, method)
	return got, failAs(err, a.charge)
}

func (a classes) LookUp(ctx context.Context, id order.ID, amount order.Amount) (*order.Payment, error) {
	found, err := a.Payments.LookUp(ctx, id, amount)
	return found, failAs(err, a.lookUp)
}

func (a classes) Reverse(ctx context.Context, id order.ID) error {
	return failAs(a.Payments.Reverse(ctx, id), a.reverse)
}

func sendsAFreshKeyEachTime(a *keyedAdapter) activities.Payments {
	var n atomic.Int64
	a.key = func(what string) string { return what + " " + strconv.FormatInt(n.Add(1), 10) }
	return a
}

func believesAnyAnswer(a *keyedAdapter) activities.Payments {
	a.trusts = true
	return a
}

func believesAnyReversal(a *keyedAdapter) activities.Payments {
	a.trusts, a.longest = true, 0
	return a
}

func reversesWithoutBlocking(a *keyedAdapter) activities.Payments {
	a.longest = 0
	return a
}

// sendsOneKeyForAll orders.
func sendsOneKeyForAll(a *keyedAdapter) activities.Payments {
	a.key = func(string) string { return "key" }
	return a
}

// refundsWhateverItFinds, refunded or not, and with a fresh key.
type refundsWhateverItFinds struct {
	*keyedAdapter

	n *atomic.Int64
}

func (a refundsWhateverItFinds) Reverse(ctx context.Context, id order.ID) error {
	found, err := a.list(ctx, id)
	if err != nil {
		return err
	}
	for _, c := range found {
		if err := a.ask(ctx, "POST", "/refunds", strconv.FormatInt(a.n.Add(1), 10), c, &c); err != nil {
			return err
		}
	}
	return nil
}

// reversesBlindly believes that what it asked for happened.
type reversesBlindly struct{ activities.Payments }

func (a reversesBlindly) Reverse(ctx context.Context, id order.ID) error {
	_ = a.Payments.Reverse(ctx, id)
	return nil
}

// givesUpDeclines leaves a declined charge's reversal to someone else, for ever.
type givesUpDeclines struct{ activities.Payments }

func (a givesUpDeclines) Reverse(ctx context.Context, id order.ID) error {
	found, err := a.LookUp(ctx, id, price)
	if err == nil && found != nil && found.Verdict == order.Declined {
		return order.Failf(order.Final, "nothing to reverse")
	}
	return a.Payments.Reverse(ctx, id)
}

// finds changes what a look-up found. Charge is the adapter's own.
type finds struct {
	activities.Payments

	change func(found *order.Payment, err error) (*order.Payment, error)
}

func (a finds) LookUp(ctx context.Context, id order.ID, amount order.Amount) (*order.Payment, error) {
	return a.change(a.Payments.LookUp(ctx, id, amount))
}

// none is what the port's LookUp says of an order that was never charged.
var none *order.Payment

func nothing(*order.Payment, error) (*order.Payment, error) { return none, nil }

func nothingOnFailure(found *order.Payment, err error) (*order.Payment, error) {
	if err != nil {
		found = none
	}
	return found, nil
}

func approvalsAlone(found *order.Payment, err error) (*order.Payment, error) {
	if found != nil && found.Verdict != order.Approved {
		return none, nil
	}
	return found, err
}

func pendingAsApproved(found *order.Payment, err error) (*order.Payment, error) {
	if found != nil && found.Verdict == order.PaymentPending {
		found.Verdict = order.Approved
	}
	return found, err
}

func pendingAsDeclined(found *order.Payment, err error) (*order.Payment, error) {
	if found != nil && found.Verdict == order.PaymentPending {
		*found = order.Payment{Verdict: order.Declined, Reason: "not paid yet"}
	}
	return found, err
}

// answers changes what a charge is answered.
type answers struct {
	activities.Payments

	change func(got order.Payment, err error, method string) (order.Payment, error)
}

func (a answers) Charge(ctx context.Context, id order.ID, amount order.Amount, method string) (order.Payment, error) {
	got, err := a.Payments.Charge(ctx, id, amount, method)
	return a.change(got, err, method)
}

func withoutReason(got order.Payment, err error, _ string) (order.Payment, error) {
	got.Reason = ""
	return got, err
}

func withTheMethod(got order.Payment, err error, method string) (order.Payment, error) {
	if err != nil {
		err = order.Failf(classOf(err), "charge by %s: %w", method, err)
	}
	return got, err
}

func pendingTaken(got order.Payment, err error, _ string) (order.Payment, error) {
	if got.Verdict == order.PaymentPending {
		got.Verdict = order.Approved
	}
	return got, err
}

// remembersApprovals by the order alone.
type remembersApprovals struct {
	activities.Payments

	approved *sync.Map
}

func (a remembersApprovals) Charge(ctx context.Context, id order.ID, amount order.Amount, method string) (order.Payment, error) {
	if got, known := a.approved.Load(id); known {
		return got.(order.Payment), nil //nolint:forcetypeassert,errcheck // nothing else is stored
	}
	got, err := a.Payments.Charge(ctx, id, amount, method)
	if got.Verdict == order.Approved {
		a.approved.Store(id, got)
	}
	return got, err
}

// declinesAfterThreeErrors of one order.
type declinesAfterThreeErrors struct {
	activities.Payments

	errors *atomic.Int64
}

func (a declinesAfterThreeErrors) Charge(ctx context.Context, id order.ID, amount order.Amount, method string) (order.Payment, error) {
	got, err := a.Payments.Charge(ctx, id, amount, method)
	if err != nil && a.errors.Add(1) > 3 {
		return order.Payment{Verdict: order.Declined, Reason: "the provider has an error"}, nil
	}
	return got, err
}

// neverLeaves ignores its caller's context.
type neverLeaves struct{ activities.Payments }

func (a neverLeaves) Charge(ctx context.Context, id order.ID, amount order.Amount, method string) (order.Payment, error) {
	return a.Payments.Charge(context.WithoutCancel(ctx), id, amount, method)
}

// sendsAgainWithAnotherKey when the first try failed.
type sendsAgainWithAnotherKey struct{ *keyedAdapter }

func (a sendsAgainWithAnotherKey) Charge(ctx context.Context, id order.ID, amount order.Amount, method string) (order.Payment, error) {
	got, err := a.keyedAdapter.Charge(ctx, id, amount, method)
	if err == nil || classOf(err) != order.Unknown || ctx.Err() != nil {
		return got, err
	}
	again := newKeyedAdapter(a.url)
	again.key = func(what string) string { return what + " " + fmt.Sprint(time.Now().UnixNano()) }
	return again.Charge(ctx, id, amount, method)
}
