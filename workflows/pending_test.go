package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"holdfast/order"
	"holdfast/workflows"
)

const deadline = 15 * time.Minute

// The clock of the looks: when an order is looked up that gets no hint.
var polls = []time.Duration{0, 5 * time.Second, 15 * time.Second, 35 * time.Second, 75 * time.Second, 135 * time.Second, 195 * time.Second}

// awaited is a journey on which the payment is pending until the provider decides, at a time after the order was opened.
// looks are the times at which it was asked.
func awaited(t *testing.T, decidedAfter time.Duration, decision order.Payment) (j *journey, looks *[]time.Duration) {
	t.Helper()
	j, looks = straight(t), new([]time.Duration)
	j.SetStartTime(opened)
	j.charge = func(try int, c order.Charging) (order.Payment, error) {
		at := j.Now().Sub(opened)
		*looks = append(*looks, at)
		if c.First != (try == 1) {
			t.Errorf("look %d may send the charge: %v", try, c.First)
		}
		if at < decidedAfter {
			return order.Payment{Verdict: order.PaymentPending, DecideBy: opened.Add(deadline)}, nil
		}
		return decision, nil
	}
	return j, looks
}

func (j *journey) hint(after time.Duration) {
	j.RegisterDelayedCallback(func() { j.SignalWorkflow(workflows.PaymentDecided, nil) }, after)
}

func lookedAt(t *testing.T, got, want []time.Duration) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("looked at %v, want %v", got, want)
	}
}

// stepsOf are those of an order whose payment was looked at so often.
func stepsOf(looks int, after ...string) []string {
	steps := append([]string{"Reserve", "Open"}, slices.Repeat([]string{"Charge"}, looks)...)
	return append(steps, after...)
}

var (
	paid    = order.Payment{Verdict: order.Approved}
	refused = order.Payment{Verdict: order.Declined, Reason: "declined_by_issuer"}
)

func TestAHintMakesAPendingPaymentLookedUp(t *testing.T) {
	t.Parallel()
	j, looks := awaited(t, time.Second, paid)
	j.hint(time.Second)
	j.end(t, order.Confirmed, "", stepsOf(2, "Commit")...)
	lookedAt(t, *looks, []time.Duration{0, time.Second})
}

func TestAPendingPaymentIsPolledWithoutAHint(t *testing.T) {
	t.Parallel()
	j, looks := awaited(t, 3*time.Minute, paid)
	j.end(t, order.Confirmed, "", stepsOf(7, "Commit")...)
	lookedAt(t, *looks, polls)
}

func TestAPendingPaymentThatIsDeclinedIsClosed(t *testing.T) {
	t.Parallel()
	j, _ := awaited(t, time.Second, refused)
	j.hint(time.Second)
	result := j.end(t, order.Rejected, order.ReasonPaymentDeclined, stepsOf(2, "Close", "Release", "Settle")...)
	if result.Detail != refused.Reason {
		t.Errorf("the provider's reason is lost: %q", result.Detail)
	}
}

// TestHintsOnlySayWhenToLook: one that comes too soon, twice or too often is one look more, or none.
func TestHintsOnlySayWhenToLook(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for _, c := range []struct {
		name    string
		hints   []time.Duration
		decided time.Duration
		looks   []time.Duration
	}{
		{"before the order waits", []time.Duration{0}, 4 * s, []time.Duration{0, 0, 10 * s}},
		{"before anything is decided", []time.Duration{s}, 4 * s, []time.Duration{0, s, 11 * s}},
		{"twice", []time.Duration{2 * s, 3 * s}, 2 * s, []time.Duration{0, 2 * s}},
		{"in the wrong order", []time.Duration{s, s, 2 * s, 6 * s}, 6 * s, []time.Duration{0, s, 2 * s, 6 * s}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j, looks := awaited(t, c.decided, paid)
			for _, at := range c.hints {
				j.hint(at)
			}
			j.ExecuteWorkflow(workflows.PlaceOrderName, newOrder(t))
			var result workflows.Result
			if err := j.GetWorkflowResult(&result); err != nil || result.Status != order.Confirmed {
				t.Errorf("ended as %+v, %v", result, err)
			}
			lookedAt(t, slices.Compact(*looks), slices.Compact(c.looks))
			j.took(t, stepsOf(len(*looks), "Commit")...)
		})
	}
}

func TestAnOrderThatIsNotPendingTakesNoNoticeOfHints(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.charge = func(try int, _ order.Charging) (order.Payment, error) { return paid, fails(4, try) }
	j.hint(0)
	j.hint(time.Second)
	j.end(t, order.Confirmed, "", stepsOf(5, "Commit")...)
}

// TestAPaymentThatStaysPendingExpires: the row is closed, then the payment reversed, so that an approval which
// comes later takes no money. The last look is at the deadline itself.
func TestAPaymentThatStaysPendingExpires(t *testing.T) {
	t.Parallel()
	j, looks := awaited(t, time.Hour, paid)
	j.hint(deadline + time.Second) // of the late approval
	j.reverse = func(try int) error { return fails(5, try) }
	result := j.end(t, order.Rejected, order.ReasonPaymentExpired, stepsOf(19, append([]string{"Close"},
		"Reverse", "Reverse", "Reverse", "Reverse", "Reverse", "Reverse", "Release", "Settle")...)...)
	if result.Detail != "not decided by 2026-11-22 12:15:00 UTC" {
		t.Errorf("the detail is %q", result.Detail)
	}
	if last := (*looks)[len(*looks)-1]; last != deadline {
		t.Errorf("the last look was after %s", last)
	}
}

func TestAnApprovalAtTheDeadlineConfirms(t *testing.T) {
	t.Parallel()
	j, _ := awaited(t, deadline, paid)
	j.end(t, order.Confirmed, "", stepsOf(19, "Commit")...)
}

// TestAnOrderCarriedOnBehindItsDeadlineWaitsNoMore: its workflow was gone until then.
func TestAnOrderCarriedOnBehindItsDeadlineWaitsNoMore(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.SetStartTime(opened.Add(deadline))
	j.open = func(int, order.Opening) (order.Row, error) {
		return order.Row{Status: order.Pending, Held: true, CreatedAt: opened}, nil
	}
	j.charge = func(_ int, c order.Charging) (order.Payment, error) {
		if c.First {
			t.Error("the charge may be sent again")
		}
		return order.Payment{Verdict: order.PaymentPending, DecideBy: c.OpenedAt.Add(deadline)}, nil
	}
	j.end(t, order.Rejected, order.ReasonPaymentExpired, stepsOf(1, "Close", "Reverse", "Release", "Settle")...)
}

func TestAnOrderThatWasConfirmedElsewhereDoesNotExpire(t *testing.T) {
	t.Parallel()
	j, _ := awaited(t, time.Hour, paid)
	j.close = func(int, order.Closing) (order.Row, error) {
		return order.Row{Status: order.Confirmed, Held: true, Settled: true}, nil
	}
	j.end(t, order.Confirmed, "", stepsOf(19, "Close")...)
}

func TestACancelledWorkflowGivesUpAPendingPayment(t *testing.T) {
	t.Parallel()
	j, looks := awaited(t, time.Minute, paid)
	j.hint(2 * time.Second)
	j.RegisterDelayedCallback(j.CancelWorkflow, 7*time.Second)
	j.ExecuteWorkflow(workflows.PlaceOrderName, newOrder(t))
	if !temporal.IsCanceledError(j.GetWorkflowError()) {
		t.Errorf("want the workflow to show as cancelled, got %v", j.GetWorkflowError())
	}
	j.took(t, stepsOf(2, "Close", "Reverse", "Release", "Settle")...)
	lookedAt(t, *looks, []time.Duration{0, 2 * time.Second})
}

// TestAnOrderClosedWhileItWaitedEndsAsItsRow: whoever closed it reversed the payment.
func TestAnOrderClosedWhileItWaitedEndsAsItsRow(t *testing.T) {
	t.Parallel()
	j, _ := awaited(t, time.Second, order.Payment{Verdict: order.Declined, Reason: "reversed"})
	j.close = func(int, order.Closing) (order.Row, error) {
		return order.Row{Status: order.Cancelled, Reason: order.ReasonRequested, Held: true, Settled: true}, nil
	}
	j.end(t, order.Cancelled, order.ReasonRequested, stepsOf(2, "Close", "Release")...)
}

func TestAPendingOrderSaysWhatItWaitsForAndUntilWhen(t *testing.T) {
	t.Parallel()
	j, _ := awaited(t, time.Minute, paid)
	var words string
	j.RegisterDelayedCallback(func() {
		words = j.details(t)
	}, time.Second)
	j.ExecuteWorkflow(workflows.PlaceOrderName, newOrder(t))
	for _, part := range []string{"payment provider", "webhook", "12:00:05 UTC", "12:15:00 UTC"} {
		if !strings.Contains(words, part) {
			t.Errorf("the details do not say %q: %s", part, words)
		}
	}
}
