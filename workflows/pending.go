package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

const (
	// firstPoll is longer than a provider needs to decide and to tell, so that an order is seldom looked up in
	// vain, and no longer than a shopper waits for an answer if its webhook is lost.
	firstPoll = 5 * time.Second
	// maxPoll bounds what the loss of a webhook costs the shopper, and the history: some 20 looks in the 15 minutes
	// of the default deadline.
	maxPoll = time.Minute
)

// chargeUntilDecided charges, and stays with a payment that the provider calls pending until that is approved or
// declined. One that is still pending in the answer has reached its deadline. Meanwhile the order stays PENDING and
// keeps its units. If a person has said what became of the charge, that word is the answer.
//
// Each look is the step of the charge itself, which finds the pending payment by its reference and so
// never sends it twice.
func chargeUntilDecided(ctx workflow.Context, c order.Charging, word order.Answer) (order.Payment, error) {
	if word != "" {
		return payment(word), nil
	}
	paid, err := charge(ctx, c)
	c.First = false
	for poll := firstPoll; err == nil && paid.Verdict == order.PaymentPending; poll = min(2*poll, maxPoll) {
		left := paid.DecideBy.Sub(workflow.Now(ctx))
		if left <= 0 {
			return paid, nil
		}
		if err := awaitHint(ctx, min(poll, left), paid.DecideBy); err != nil {
			return order.Payment{}, err
		}
		paid, err = charge(ctx, c)
	}
	return paid, err
}

func charge(ctx workflow.Context, c order.Charging) (order.Payment, error) {
	paid, err := step(ctx, activities.Charge, c)
	word, err := byHand(err)
	if word != "" {
		return payment(word), err
	}
	return paid, err
}

// payment is what a person's word on a charge means.
func payment(word order.Answer) order.Payment {
	if word == order.Charged {
		return order.Payment{Verdict: order.Approved}
	}
	return order.Payment{Verdict: order.SettledNotCharged}
}

// awaitHint waits until the provider hints that it has decided, at most as long as it is told. The error is a
// cancellation.
func awaitHint(ctx workflow.Context, atMost time.Duration, deadline time.Time) error {
	tell(ctx, fmt.Sprintf("The payment provider has not decided yet. The order keeps its units, waits for the provider's webhook, "+
		"and looks by itself at %s. What is not decided by %s is reversed.", clock(workflow.Now(ctx).Add(atMost)), clock(deadline)))
	timerCtx, stopTimer := workflow.WithCancel(ctx)
	defer stopTimer()
	timer := workflow.NewTimerWithOptions(timerCtx, atMost, workflow.TimerOptions{
		Summary: "looks the payment up if its webhook has not come by then; given up at " + clock(deadline),
	})
	workflow.NewSelector(ctx).
		AddReceive(hints(ctx), func(workflow.ReceiveChannel, bool) { takeHints(ctx) }).
		AddFuture(timer, func(workflow.Future) {}).
		Select(ctx)
	return ctx.Err()
}

func hints(ctx workflow.Context) workflow.ReceiveChannel {
	return workflow.GetSignalChannel(ctx, PaymentDecided)
}

// takeHints takes all that have come: one look answers them all. It costs no event.
func takeHints(ctx workflow.Context) {
	for hints(ctx).ReceiveAsync(nil) {
	}
}

// clock is a time for people.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
