package activities

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"go.temporal.io/sdk/activity"
	"golang.org/x/sync/errgroup"

	"holdfast/order"
)

// chargesAtOnce bounds the requests that one batch has open at the provider. It is that of a whole batch: a few that hang
// must not keep their neighbours waiting beyond the step's budget.
const chargesAtOnce = 200

// charge may be repeated: whoever has reason to think that he is not the first looks the charge up by its
// reference before he sends it. A worker that died in its first try leaves no such reason, so the key
// makes the last word: it is the same each time, and a charge is never sent once the provider may have
// forgotten it.
func (a *Activities) charge(ctx context.Context, charges []order.Charging) []order.Outcome[order.Payment] {
	first := firstTry(activity.GetInfo(ctx))
	outcomes := each(charges, func(c order.Charging) (order.Payment, error) {
		payment, err := a.pay(ctx, c, c.First && first)
		if payment.Verdict == order.PaymentPending {
			// From the row's age, so that whoever carries the order later waits no longer for it.
			payment.DecideBy = c.OpenedAt.Add(a.PaymentDeadline)
		}
		return payment, err
	})
	a.Metrics.paid(outcomes)
	return outcomes
}

// pay is charge for one order.
func (a *Activities) pay(ctx context.Context, c order.Charging, first bool) (order.Payment, error) {
	amount := c.Order.Total()
	if amount.Minor == 0 {
		return order.Payment{Verdict: order.Approved}, nil
	}
	if !first {
		found, err := a.Payments.LookUp(ctx, c.Order.ID, amount)
		if err != nil {
			return order.Payment{}, err
		}
		if found != nil {
			return *found, nil
		}
	}
	if age := time.Since(c.OpenedAt); age > a.KeyMemory {
		return order.Payment{}, order.Failf(order.Unknown,
			"no charge found %s after the order was opened, and the provider may have forgotten its key: not sent again",
			age.Round(time.Second))
	}
	return a.Payments.Charge(ctx, c.Order.ID, amount, c.Order.PaymentMethod)
}

// reverse may be repeated, and run before a late charge, which it then stops.
func (a *Activities) reverse(ctx context.Context, ids []order.ID) []order.Outcome[order.ID] {
	return each(ids, func(id order.ID) (order.ID, error) { return id, a.Payments.Reverse(ctx, id) })
}

// each asks the provider for every order of the batch, side by side: one that hangs, fails or panics leaves
// its neighbours' outcomes alone.
func each[In, Out any](batch []In, ask func(In) (Out, error)) []order.Outcome[Out] {
	outcomes := make([]order.Outcome[Out], len(batch))
	var group errgroup.Group
	group.SetLimit(chargesAtOnce)
	for i, in := range batch {
		group.Go(func() error {
			defer func() {
				if p := recover(); p != nil {
					outcomes[i] = order.Undecided[Out](fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
				}
			}()
			if answer, err := ask(in); err != nil {
				outcomes[i] = order.Undecided[Out](err)
			} else {
				outcomes[i] = order.Decided(answer)
			}
			return nil
		})
	}
	_ = group.Wait() // the functions return no errors
	return outcomes
}
