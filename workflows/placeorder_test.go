package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"holdfast/activities"
	"holdfast/order"
	"holdfast/workflows"
)

// journey is a run of PlaceOrder in Temporal's test environment. Every step is scripted; what was
// called, and in which order, is written down.
type journey struct {
	*testsuite.TestWorkflowEnvironment
	mu    sync.Mutex
	calls []string

	reserve func(try int) (order.Reservation, error)
	open    func(try int, o order.Opening) (order.Row, error)
	charge  func(try int, c order.Charging) (order.Payment, error)
	commit  func(try int) (order.Row, error)
	close   func(try int, c order.Closing) (order.Row, error)
	reverse func(try int) error
	release func(try int, r order.Releasing) error
	settle  func(try int) (order.Row, error)
	cancel  func(try int) (order.Row, error)
	words   []order.Resolution // that were kept on the row
	notes   []string
	token   []byte // of the activity that was started last
}

var configured = workflows.Workflows{AttentionAfter: 15 * time.Minute}

var opened = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// straight is a journey on which everything goes well.
func straight(t *testing.T) *journey {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	j := &journey{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment()}
	j.SetTestTimeout(time.Minute)
	j.SetWorkflowRunTimeout(24 * time.Hour)
	configured.Register(j)
	j.reserve = func(int) (order.Reservation, error) {
		return order.Reservation{Verdict: order.Reserved, Taken: true}, nil
	}
	j.open = func(int, order.Opening) (order.Row, error) {
		return order.Row{Status: order.Pending, Changed: true, Held: true, CreatedAt: opened}, nil
	}
	j.charge = func(int, order.Charging) (order.Payment, error) { return order.Payment{Verdict: order.Approved}, nil }
	j.commit = func(int) (order.Row, error) {
		return order.Row{Status: order.Confirmed, Changed: true, Held: true, Settled: true}, nil
	}
	j.close = func(_ int, c order.Closing) (order.Row, error) {
		return order.Row{Status: c.Status, Reason: c.Reason, Detail: c.Detail, Changed: true, Held: true}, nil
	}
	j.reverse = func(int) error { return nil }
	j.release = func(int, order.Releasing) error { return nil }
	j.settle = func(int) (order.Row, error) { return order.Row{}, nil }
	j.register()
	return j
}

func (j *journey) register() {
	script(j, activities.Reserve, func(try int, _ order.Order) (order.Reservation, error) { return j.reserve(try) })
	script(j, activities.Open, func(try int, o order.Opening) (order.Row, error) { return j.open(try, o) })
	script(j, activities.Charge, func(try int, c order.Charging) (order.Payment, error) { return j.charge(try, c) })
	script(j, activities.Commit, func(try int, _ order.Key) (order.Row, error) { return j.commit(try) })
	script(j, activities.Close, func(try int, c order.Closing) (order.Row, error) { return j.close(try, c) })
	script(j, activities.Reverse, func(try int, id order.ID) (order.ID, error) { return id, j.reverse(try) })
	script(j, activities.Release, func(try int, r order.Releasing) (order.Verdict, error) { return order.Released, j.release(try, r) })
	script(j, activities.Settle, func(try int, _ order.Key) (order.Row, error) { return j.settle(try) })
	script(j, activities.Cancel, func(try int, _ order.Key) (order.Row, error) { return j.cancel(try) })
	script(j, activities.Resolve, func(_ int, r order.Resolving) (order.Row, error) {
		j.words = append(j.words, r.Resolution)
		return order.Row{}, nil
	})
	script(j, activities.Attend, func(_ int, a order.Attention) (order.Row, error) {
		j.notes = append(j.notes, a.Reason)
		return order.Row{}, nil
	})
}

// script registers a step that answers what the test says, and notes that it was called.
func script[In, Out any](j *journey, step activities.Step[In, Out], run func(try int, in In) (Out, error)) {
	tries := 0
	j.RegisterActivityWithOptions(func(ctx context.Context, batch []In) ([]order.Outcome[Out], error) {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.token = activity.GetInfo(ctx).TaskToken
		tries++
		j.calls = append(j.calls, step.Name)
		answer, err := run(tries, batch[0])
		if err != nil {
			return nil, err
		}
		return []order.Outcome[Out]{order.Decided(answer)}, nil
	}, activity.RegisterOptions{Name: step.Name})
}

func newOrder(t *testing.T) order.Order {
	t.Helper()
	o, err := order.New("c-1", "key-1", "EUR", "tok_ok", []order.Line{{SKU: "mug", Quantity: 2, UnitPrice: 1999}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// end runs the journey and checks where it ended and which steps it took, in order.
func (j *journey) end(t *testing.T, status order.Status, reason order.Reason, calls ...string) workflows.Result {
	t.Helper()
	j.ExecuteWorkflow(workflows.PlaceOrderName, newOrder(t))
	if !j.IsWorkflowCompleted() {
		t.Fatal("the workflow did not end")
	}
	if err := j.GetWorkflowError(); err != nil {
		t.Fatalf("the workflow failed: %v", err)
	}
	var result workflows.Result
	if err := j.GetWorkflowResult(&result); err != nil {
		t.Fatal(err)
	}
	if result.Status != status || result.Reason != reason {
		t.Errorf("ended as %s %q, want %s %q", result.Status, result.Reason, status, reason)
	}
	j.took(t, calls...)
	return result
}

func (j *journey) took(t *testing.T, calls ...string) {
	t.Helper()
	if !slices.Equal(j.calls, calls) {
		t.Errorf("steps taken:\n got %v\nwant %v", j.calls, calls)
	}
}

// fails makes a step fail for its first n tries, in a way that leaves open what happened.
func fails(n, try int) error {
	if try <= n {
		return temporal.NewApplicationError("the answer was lost", string(order.Unknown))
	}
	return nil
}

func TestTheStraightPath(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.charge = func(_ int, c order.Charging) (order.Payment, error) {
		if !c.First || !c.OpenedAt.Equal(opened) {
			t.Errorf("a fresh row must be charged as the first, with its age: %+v", c)
		}
		return order.Payment{Verdict: order.Approved}, nil
	}
	j.end(t, order.Confirmed, "", "Reserve", "Open", "Charge", "Commit")
}

func TestADeclineIsClosedThenReleased(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.charge = func(int, order.Charging) (order.Payment, error) {
		return order.Payment{Verdict: order.Declined, Reason: "insufficient_funds"}, nil
	}
	j.release = func(_ int, r order.Releasing) error {
		if !r.Taken {
			t.Error("release must know that the row gave units back")
		}
		return nil
	}
	result := j.end(t, order.Rejected, order.ReasonPaymentDeclined,
		"Reserve", "Open", "Charge", "Close", "Release", "Settle")
	if result.Detail != "insufficient_funds" {
		t.Errorf("the provider's reason is lost: %q", result.Detail)
	}
}

func TestSoldOutInRedisIsFinalOnlyOnceTheRowSaysSo(t *testing.T) {
	t.Parallel()
	refused := order.Reservation{Verdict: order.SoldOut, SKUs: []string{"mug"}}
	t.Run("no row before", func(t *testing.T) {
		t.Parallel()
		j := straight(t)
		j.reserve = func(int) (order.Reservation, error) { return refused, nil }
		j.open = func(_ int, o order.Opening) (order.Row, error) {
			if !o.Reservation.Refused() {
				t.Error("open must be told that Redis refused")
			}
			return order.Row{Status: order.Rejected, Reason: order.ReasonSoldOut, Detail: "mug", Changed: true, Settled: true}, nil
		}
		j.end(t, order.Rejected, order.ReasonSoldOut, "Reserve", "Open")
	})
	t.Run("the row holds its units", func(t *testing.T) {
		t.Parallel()
		j := straight(t)
		j.reserve = func(int) (order.Reservation, error) { return refused, nil }
		j.open = func(int, order.Opening) (order.Row, error) {
			return order.Row{Status: order.Pending, Held: true, CreatedAt: opened}, nil
		}
		j.charge = func(_ int, c order.Charging) (order.Payment, error) {
			if c.First {
				t.Error("a row that was there before may have been charged before")
			}
			return order.Payment{Verdict: order.Approved}, nil
		}
		j.end(t, order.Confirmed, "", "Reserve", "Open", "Charge", "Commit")
	})
}

func TestTheGuardInMySQLRefusesWhatRedisReserved(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.open = func(int, order.Opening) (order.Row, error) {
		return order.Row{Status: order.Rejected, Reason: order.ReasonSoldOut, Changed: true}, nil
	}
	j.end(t, order.Rejected, order.ReasonSoldOut, "Reserve", "Open", "Release", "Settle")
}

func TestARowThatIsSoldIsTheAnswer(t *testing.T) {
	t.Parallel()
	for _, status := range []order.Status{order.Confirmed, order.HandedOff} {
		j := straight(t)
		j.open = func(int, order.Opening) (order.Row, error) {
			return order.Row{Status: status, Held: true, Settled: true}, nil
		}
		j.end(t, status, "", "Reserve", "Open")
	}
}

func TestWhoeverMeetsAClosedUnsettledRowSettlesIt(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.open = func(int, order.Opening) (order.Row, error) {
		return order.Row{Status: order.Rejected, Reason: order.ReasonPaymentDeclined, Held: true}, nil
	}
	j.end(t, order.Rejected, order.ReasonPaymentDeclined, "Reserve", "Open", "Reverse", "Release", "Settle")
}

// TestWhatARowHeldIsReleasedAlthoughRedisRefuses now: its reservation has expired, and others have bought the rest.
func TestWhatARowHeldIsReleasedAlthoughRedisRefuses(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.reserve = func(int) (order.Reservation, error) {
		return order.Reservation{Verdict: order.SoldOut, SKUs: []string{"mug"}}, nil
	}
	j.open = func(int, order.Opening) (order.Row, error) {
		return order.Row{Status: order.Cancelled, Reason: order.ReasonRequested, Held: true, Holds: []order.Hold{{SKU: "mug", From: 2}}}, nil
	}
	j.release = func(_ int, r order.Releasing) error {
		if !r.Taken || len(r.NotTaken) != 0 {
			t.Errorf("release is told %+v", r)
		}
		return nil
	}
	j.end(t, order.Cancelled, order.ReasonRequested, "Reserve", "Open", "Reverse", "Release", "Settle")
}

func TestAReservationMadeForAClosedOrderIsGivenBack(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.open = func(int, order.Opening) (order.Row, error) {
		return order.Row{Status: order.Rejected, Reason: order.ReasonSoldOut, Settled: true}, nil
	}
	j.end(t, order.Rejected, order.ReasonSoldOut, "Reserve", "Open", "Release")
}

func TestAnOrderClosedWhileItWasChargedIsReversed(t *testing.T) {
	t.Parallel()
	for _, settled := range []bool{false, true} {
		j := straight(t)
		holds := []order.Hold{{SKU: "mug", From: 3, Until: 5}}
		j.commit = func(int) (order.Row, error) {
			return order.Row{Status: order.Cancelled, Reason: order.ReasonRequested, Held: true, Settled: settled, Holds: holds}, nil
		}
		j.release = func(_ int, r order.Releasing) error {
			if !slices.Equal(r.Holds, holds) || !r.Taken {
				t.Errorf("release is told %+v", r)
			}
			return nil
		}
		calls := []string{"Reserve", "Open", "Charge", "Commit", "Reverse", "Release"}
		if !settled {
			calls = append(calls, "Settle")
		}
		j.end(t, order.Cancelled, order.ReasonRequested, calls...)
	}
}

func TestARowThatVanishedIsUndone(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.commit = func(int) (order.Row, error) { return order.Row{Missing: true}, nil }
	j.close = func(_ int, c order.Closing) (order.Row, error) {
		return order.Row{Status: c.Status, Reason: c.Reason, Changed: true}, nil
	}
	j.end(t, order.Rejected, order.ReasonRecordLost,
		"Reserve", "Open", "Charge", "Commit", "Close", "Reverse", "Release", "Settle")
}

func TestAKeyUsedForAnotherOrderTouchesNothing(t *testing.T) {
	t.Parallel()
	check := func(j *journey, calls ...string) {
		j.ExecuteWorkflow(workflows.PlaceOrderName, newOrder(t))
		failure, ok := errors.AsType[*temporal.ApplicationError](j.GetWorkflowError())
		if !ok || failure.Type() != workflows.ErrorKeyReused {
			t.Errorf("want %s, got %v", workflows.ErrorKeyReused, j.GetWorkflowError())
		}
		j.took(t, calls...)
	}
	foreign := func(_ int, r order.Releasing) error {
		if !r.Foreign {
			t.Error("what is released must not block the order that the id belongs to")
		}
		return nil
	}
	j := straight(t)
	j.reserve = func(int) (order.Reservation, error) { return order.Reservation{Verdict: order.KeyReused}, nil }
	j.open = func(int, order.Opening) (order.Row, error) { return order.Row{KeyReused: true}, nil }
	check(j, "Reserve", "Open")
	j = straight(t)
	j.open, j.release = func(int, order.Opening) (order.Row, error) { return order.Row{KeyReused: true}, nil }, foreign
	check(j, "Reserve", "Open", "Release")
}

func TestAnInvalidOrderTouchesNothing(t *testing.T) {
	t.Parallel()
	j := straight(t)
	o := newOrder(t)
	o.Lines[0].Quantity = 0
	j.ExecuteWorkflow(workflows.PlaceOrderName, o)
	failure, ok := errors.AsType[*temporal.ApplicationError](j.GetWorkflowError())
	if !ok || failure.Type() != workflows.ErrorInvalid || !failure.NonRetryable() {
		t.Errorf("want %s, got %v", workflows.ErrorInvalid, j.GetWorkflowError())
	}
	j.took(t)
}

func TestAStepWithoutAnAnswerGoesOnPatiently(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.charge = func(try int, _ order.Charging) (order.Payment, error) {
		return order.Payment{Verdict: order.Approved}, fails(5, try)
	}
	j.end(t, order.Confirmed, "", "Reserve", "Open",
		"Charge", "Charge", "Charge", // fast
		"Charge", "Charge", "Charge", // patient
		"Commit")
	if len(j.notes) != 0 {
		t.Errorf("nobody had to be asked for: %q", j.notes)
	}
}

func TestAnUndoNeverGivesUp(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.commit = func(int) (order.Row, error) {
		return order.Row{Status: order.Cancelled, Reason: order.ReasonRequested}, nil
	}
	j.reverse = func(try int) error { return fails(6, try) }
	j.release = func(try int, _ order.Releasing) error { return fails(3, try) }
	j.end(t, order.Cancelled, order.ReasonRequested, "Reserve", "Open", "Charge", "Commit",
		"Reverse", "Reverse", "Reverse", "Reverse", "Reverse", "Reverse", "Reverse",
		"Release", "Release", "Release", "Release", "Settle")
}

func TestAStepThatStaysOpenAsksForAPerson(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.charge = func(try int, _ order.Charging) (order.Payment, error) {
		if err := fails(3, try); err != nil {
			return order.Payment{}, err
		}
		token := j.token
		j.RegisterDelayedCallback(func() {
			approved := []order.Outcome[order.Payment]{order.Decided(order.Payment{Verdict: order.Approved})}
			if err := j.CompleteActivity(token, approved, nil); err != nil {
				t.Error(err)
			}
		}, 20*time.Minute)
		return order.Payment{}, activity.ErrResultPending
	}
	var attention []bool
	j.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		attributes, _ := args.Get(0).(temporal.SearchAttributes)
		needed, _ := attributes.GetBool(workflows.Attention)
		attention = append(attention, needed)
	}).Return(nil)
	j.ExecuteWorkflow(workflows.PlaceOrderName, newOrder(t))
	if err := j.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	if len(j.notes) != 2 || j.notes[0] == "" || j.notes[1] != "" {
		t.Errorf("want a note and its end on the row, got %q", j.notes)
	}
	if !slices.Equal(attention, []bool{true, false}) {
		t.Errorf("want the search attribute set and taken back, got %v", attention)
	}
}

func TestACancelledWorkflowUndoesWhatItMayHaveDone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		when  func(*journey)
		calls []string
	}{
		{"while it reserves", func(j *journey) {
			j.reserve = func(int) (order.Reservation, error) { j.CancelWorkflow(); return order.Reservation{}, fails(1, 1) }
		}, []string{"Reserve", "Close", "Reverse", "Release", "Settle"}},
		{"while it opens", func(j *journey) {
			j.open = func(int, order.Opening) (order.Row, error) { j.CancelWorkflow(); return order.Row{}, fails(1, 1) }
		}, []string{"Reserve", "Open", "Close", "Reverse", "Release", "Settle"}},
		{"while it charges patiently", func(j *journey) {
			j.charge = func(try int, _ order.Charging) (order.Payment, error) {
				if try == 5 {
					j.CancelWorkflow()
				}
				return order.Payment{}, fails(try, try)
			}
		}, []string{"Reserve", "Open", "Charge", "Charge", "Charge", "Charge", "Charge", "Close", "Reverse", "Release", "Settle"}},
		{"while it charges", func(j *journey) {
			j.charge = func(int, order.Charging) (order.Payment, error) {
				j.CancelWorkflow()
				return order.Payment{}, fails(1, 1)
			}
		}, []string{"Reserve", "Open", "Charge", "Close", "Reverse", "Release", "Settle"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := straight(t)
			c.when(j)
			j.ExecuteWorkflow(workflows.PlaceOrderName, newOrder(t))
			if !temporal.IsCanceledError(j.GetWorkflowError()) {
				t.Errorf("want the workflow to show as cancelled, got %v", j.GetWorkflowError())
			}
			j.took(t, c.calls...)
		})
	}
}

func TestACancellationThatComesAfterTheCommitUndoesNothing(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.commit = func(int) (order.Row, error) { j.CancelWorkflow(); return order.Row{}, fails(1, 1) }
	j.close = func(int, order.Closing) (order.Row, error) {
		return order.Row{Status: order.Confirmed, Held: true, Settled: true}, nil
	}
	j.end(t, order.Confirmed, "", "Reserve", "Open", "Charge", "Commit", "Close")
}

func TestAFailureThatNoRepeatCanMendIsUndone(t *testing.T) {
	t.Parallel()
	j := straight(t)
	j.charge = func(int, order.Charging) (order.Payment, error) {
		return order.Payment{}, temporal.NewNonRetryableApplicationError("no such account", string(order.Final), nil)
	}
	result := j.end(t, order.Rejected, order.ReasonFailed,
		"Reserve", "Open", "Charge", "Close", "Reverse", "Release", "Settle")
	if result.Detail != "no such account" {
		t.Errorf("the reason is lost: %q", result.Detail)
	}
}
