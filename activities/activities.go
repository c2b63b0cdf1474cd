// Package activities holds the steps of the saga, each beside its undo. A step takes a batch of
// orders, may be run twice, by two workers at once, or again an hour later, and answers the same. The
// package declares the ports it needs (Stock, Orders, Payments); stock, orderdb and payment implement
// them. Workflows and app may import it.
package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"holdfast/order"
	"holdfast/tracing"
)

// Activities are the steps on their ports. All fields are required.
type Activities struct {
	Stock    Stock
	Orders   Orders
	Payments Payments
	Metrics  *Metrics
	// KeyMemory is how long the provider surely remembers an idempotency key. A charge is never sent
	// again once the key is older.
	KeyMemory time.Duration
	// PaymentDeadline is how old an order may get while its payment is pending.
	PaymentDeadline time.Duration
	// DirectOpens bounds how many orders that Redis did not reserve are in the order database at once.
	DirectOpens DirectOpens
}

// Step is an activity's wire name together with the types it takes and answers, so that workflows
// cannot mix them up, and what it does in words for people.
type Step[In, Out any] struct{ Name, Doing string }

// The steps and their undos. Changing a name breaks running workflows.
var (
	Reserve = Step[order.Order, order.Reservation]{"Reserve", "Reserving the units in Redis"}
	Open    = Step[order.Opening, order.Row]{"Open", "Opening the order and holding its units in MySQL"}
	Charge  = Step[order.Charging, order.Payment]{"Charge", "Charging the customer"}
	Commit  = Step[order.Key, order.Row]{"Commit", "Paid: committing the sale to MySQL"}

	Close   = Step[order.Closing, order.Row]{"Close", "Undoing: closing the order in MySQL"}
	Reverse = Step[order.ID, order.ID]{"Reverse", "Undoing: reversing the charge"}
	Release = Step[order.Releasing, order.Verdict]{"Release", "Undoing: releasing the units in Redis"}
	Settle  = Step[order.Key, order.Row]{"Settle", "Undone: noting that nothing is owed any more"}

	Cancel = Step[order.Key, order.Row]{"Cancel", "Cancelling the order in MySQL"}

	Attend  = Step[order.Attention, order.Row]{"Attend", "Noting on the order whether it needs a person"}
	Resolve = Step[order.Resolving, order.Row]{"Resolve", "Keeping on the order what a person said of its charge"}
)

// Register makes every step known to a worker.
func (a *Activities) Register(r worker.ActivityRegistry) {
	r.RegisterActivityWithOptions(a.placeBatch, activity.RegisterOptions{Name: PlaceBatch})
	register(r, a.Metrics, Reserve, a.reserve)
	register(r, a.Metrics, Open, a.open)
	register(r, a.Metrics, Charge, a.charge)
	register(r, a.Metrics, Commit, a.commit)
	register(r, a.Metrics, Close, a.close)
	register(r, a.Metrics, Reverse, a.reverse)
	register(r, a.Metrics, Release, a.release)
	register(r, a.Metrics, Settle, a.settle)
	register(r, a.Metrics, Cancel, a.cancel)
	register(r, a.Metrics, Attend, a.attend)
	register(r, a.Metrics, Resolve, a.resolve)
}

// register wraps a step the one way that all share: time it, and turn a batch without a single
// definite outcome into an error, so that Temporal repeats it and shows why.
func register[In, Out any](r worker.ActivityRegistry, m *Metrics, step Step[In, Out],
	run func(context.Context, []In) []order.Outcome[Out],
) {
	wrapped := func(ctx context.Context, batch []In) ([]order.Outcome[Out], error) {
		started := time.Now()
		outcomes := run(ctx, batch)
		failure := undecidedOf(outcomes)
		m.observe(step.Name, tracing.LaneAlone, failure, time.Since(started))
		if failure != nil {
			if activity.GetInfo(ctx).IsLocalActivity { // of which Temporal logs no failure
				activity.GetLogger(ctx).Debug("undecided in its fast phase", "class", failure.Class, "error", failure.Message)
			}
			return nil, temporalError(failure)
		}
		return outcomes, nil
	}
	r.RegisterActivityWithOptions(wrapped, activity.RegisterOptions{Name: step.Name})
}

// undecidedOf returns the first failure of a batch in which no order was decided, and otherwise nil.
func undecidedOf[T any](outcomes []order.Outcome[T]) *order.Failure {
	var first *order.Failure
	for _, o := range outcomes {
		if o.Failure == nil {
			return nil
		}
		if first == nil {
			first = o.Failure
		}
	}
	return first
}

// temporalError is the one place where a failure's class becomes Temporal's.
func temporalError(f *order.Failure) error {
	switch f.Class {
	case order.Final:
		return temporal.NewNonRetryableApplicationError(f.Message, string(f.Class), nil)
	case order.Transient, order.Unknown:
		return temporal.NewApplicationError(f.Message, string(f.Class))
	}
	return temporal.NewApplicationError(f.Message, string(order.Unknown), errors.New("unknown failure class"))
}

// all gives every order of a batch the outcome of the one transaction that carried it.
func all[In, Out any](batch []In, answers []Out, err error) []order.Outcome[Out] {
	outcomes := make([]order.Outcome[Out], len(batch))
	for i := range batch {
		if err != nil {
			outcomes[i] = order.Undecided[Out](err)
		} else {
			outcomes[i] = order.Decided(answers[i])
		}
	}
	return outcomes
}
