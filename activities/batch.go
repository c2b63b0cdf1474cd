package activities

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"

	"holdfast/order"
	"holdfast/tracing"
)

// PlaceBatch is the activity that takes a batch of orders straight through the saga. It is one activity and not one for
// each step: between local activities nothing is saved anyway, and what each of them answers for 200 orders would be
// encoded, decoded and kept by Temporal.
const PlaceBatch = "PlaceBatch"

// BatchBudget bounds each step of a batch, so that an order never costs its neighbours more. It is that of the fast phase
// of a single order. BatchTotal is that of all steps.
const (
	BatchBudget = 2 * time.Second
	BatchTotal  = 7 * BatchBudget
)

// BatchResult is what became of a batch.
type BatchResult struct {
	// Undecided are the indexes of the orders that have no definite outcome, or for which something is still owed.
	// Whoever carries them on begins at the top.
	Undecided []int `json:"undecided,omitempty"`
	// Unpublished are the indexes of those of which others are still to be told. Nothing else is owed for them.
	Unpublished []int `json:"unpublished,omitempty"`
	// Invalid are the indexes of those that are no orders. Nothing was done for them.
	Invalid []int `json:"invalid,omitempty"`
	// Failure says why the first of the undecided has no outcome; empty if there are none.
	Failure string `json:"failure,omitempty"`
}

// placeBatch takes orders straight through: reserve all, open all, charge all, then one transaction that commits the
// approved and closes the declined, release, settle. It may be repeated, as each of its steps may. It has no compensation:
// what does not go straight through it leaves undecided.
func (a *Activities) placeBatch(ctx context.Context, orders []order.Order) (BatchResult, error) {
	b := &batch{Activities: a, workflowID: activity.GetInfo(ctx).WorkflowExecution.ID, orders: make([]carried, len(orders))}
	for i, o := range orders {
		b.orders[i] = carried{order: o}
		if o.Validate() != nil {
			b.orders[i].stage = invalid
		}
	}
	advance(ctx, b, toReserve, Reserve.Name, a.reserve, (*carried).placed, (*carried).reserved)
	advance(ctx, b, toOpen, Open.Name, a.open, b.opening, (*carried).opened)
	advance(ctx, b, toCharge, Charge.Name, a.charge, (*carried).charging, (*carried).charged)
	advance(ctx, b, toConclude, Conclude, a.conclude, (*carried).concluding, (*carried).concluded)
	advance(ctx, b, toReverse, Reverse.Name, a.reverse, (*carried).reversing, (*carried).reversed)
	advance(ctx, b, toRelease, Release.Name, a.release, (*carried).releasing, (*carried).released)
	advance(ctx, b, toSettle, Settle.Name, a.settle, (*carried).settling, (*carried).settled)
	return b.result(), nil
}

// Conclude is the step of a batch that commits or closes; it is no activity of its own.
const Conclude = "Conclude"

// conclude may be repeated: the rows that were committed or closed already are the answer.
func (a *Activities) conclude(ctx context.Context, conclusions []order.Conclusion) []order.Outcome[order.Row] {
	rows, err := a.Orders.Conclude(ctx, conclusions)
	if err == nil {
		a.Metrics.count(rows)
	}
	return all(conclusions, rows, err)
}

type batch struct {
	*Activities

	workflowID string
	orders     []carried
}

// stage is what an order of a batch needs next.
type stage int

const (
	toReserve stage = iota
	toOpen
	toCharge
	toConclude
	toReverse
	toRelease
	toSettle
	ended
	undecided
	invalid
)

// carried is an order of a batch on its way.
type carried struct {
	order       order.Order
	stage       stage
	reservation order.Reservation
	row         order.Row
	payment     order.Payment
	foreign     bool  // the id belongs to another order
	err         error // why it is undecided
}

// advance takes the orders that are at a stage one step further, within the budget. What has no outcome is undecided. So is
// the whole of a step that panics: each order is then carried alone, where the panic meets only the one that it
// belongs to.
func advance[In, Out any](ctx context.Context, b *batch, at stage, name string, step func(context.Context, []In) []order.Outcome[Out],
	in func(*carried) In, out func(*carried, Out),
) {
	var orders []*carried
	var batch []In
	for i := range b.orders {
		if c := &b.orders[i]; c.stage == at {
			orders, batch = append(orders, c), append(batch, in(c))
		}
	}
	if len(orders) == 0 {
		return
	}
	defer func() {
		p := recover()
		for _, c := range orders {
			if p != nil && c.stage == at {
				c.leave(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, BatchBudget)
	defer cancel()
	ctx, span := tracing.Start(ctx, name, trace.WithAttributes(tracing.Step.String(name), tracing.Orders.Int(len(orders))))
	defer span.End()
	started := time.Now()
	outcomes := step(ctx, batch)
	b.Metrics.observe(name, tracing.LaneBatch, undecidedOf(outcomes), time.Since(started))
	for i, c := range orders {
		if failure := outcomes[i].Failure; failure != nil {
			c.leave(fmt.Errorf("%s: %w", name, failure))
			continue
		}
		out(c, outcomes[i].Answer)
	}
}

func (b *batch) result() (r BatchResult) {
	for i, c := range b.orders {
		if c.stage == ended {
			if c.row.OwesEvent {
				r.Unpublished = append(r.Unpublished, i)
			}
			continue
		}
		if c.stage == invalid {
			r.Invalid = append(r.Invalid, i)
			continue
		}
		if len(r.Undecided) == 0 && c.err != nil {
			r.Failure = c.err.Error()
		}
		r.Undecided = append(r.Undecided, i)
	}
	return r
}

func (c *carried) leave(err error) { c.stage, c.err = undecided, err }

// Reasons why an order does not go straight through although no step failed.
var (
	errPaymentPending = errors.New("the payment is pending")
	errMetElsewhere   = errors.New("somebody else is at work on the order")
)

func (c *carried) placed() order.Order { return c.order }

func (c *carried) reserved(r order.Reservation) { c.reservation, c.stage = r, toOpen }

func (b *batch) opening(c *carried) order.Opening {
	return order.Opening{Order: c.order, Reservation: c.reservation, WorkflowID: b.workflowID}
}

func (c *carried) opened(row order.Row) {
	c.row = row
	switch {
	case row.KeyReused:
		c.foreign = true
		c.giveBack()
	case row.Status == order.Pending && row.ByHand == "":
		c.stage = toCharge
	case row.Status.Closed() && row.Changed && !row.Settled:
		c.stage = toRelease // refused just now, so that no charge was ever sent
	default:
		c.met(row)
	}
}

// met ends an order that somebody else has brought to its end.
func (c *carried) met(row order.Row) {
	c.row = row
	switch {
	case row.Status.Sold():
		c.stage = ended
	case row.Status.Closed() && row.Settled && c.payment.Verdict == order.Approved:
		c.stage = toReverse // whoever settled it cannot have known of this charge
	case row.Status.Closed() && row.Settled:
		c.giveBack()
	default:
		c.leave(errMetElsewhere)
	}
}

// giveBack releases what this batch has reserved, if anything, for an order of which nothing else is owed.
func (c *carried) giveBack() {
	c.stage = ended
	if c.reservation.Taken {
		c.stage = toRelease
	}
}

func (c *carried) charging() order.Charging {
	return order.Charging{Order: c.order, OpenedAt: c.row.CreatedAt, First: c.row.Changed}
}

func (c *carried) charged(p order.Payment) {
	c.payment, c.stage = p, toConclude
	if p.Verdict != order.Approved && p.Verdict != order.Declined {
		c.leave(errPaymentPending)
	}
}

func (c *carried) concluding() order.Conclusion {
	return order.Conclusion{Key: c.order.Key(), Payment: c.payment}
}

func (c *carried) concluded(row order.Row) {
	if row.Status.Closed() && row.Changed {
		c.row, c.stage = row, toRelease // declined, so that there is nothing to reverse
		return
	}
	c.met(row)
}

func (c *carried) reversing() order.ID { return c.order.ID }

func (c *carried) reversed(order.ID) { c.giveBack() }

func (c *carried) releasing() order.Releasing {
	if c.foreign {
		return order.Releasing{Order: c.order, Foreign: true}
	}
	return c.row.Releasing(c.order, c.reservation.Taken, c.reservation.NotTaken())
}

func (c *carried) released(order.Verdict) {
	c.stage = toSettle
	if c.foreign || c.row.Settled {
		c.stage = ended
	}
}

func (c *carried) settling() order.Key { return c.order.Key() }

func (c *carried) settled(row order.Row) { c.row.OwesEvent, c.stage = row.OwesEvent, ended }
