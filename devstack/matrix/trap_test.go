package matrix_test

import (
	"context"
	"sync"

	"holdfast/activities"
	"holdfast/order"
)

// fault is a way for one call of a step to go wrong.
type fault string

const (
	none      fault = "nothing goes wrong"
	before    fault = "fails before its effect"
	lost      fault = "its answer is lost"
	twice     fault = "runs twice in a row"
	atOnce    fault = "runs twice at once"
	timeOut   fault = "times out"
	late      fault = "times out and takes effect late"
	cancelled fault = "the workflow is cancelled meanwhile"
	gone      fault = "its worker is gone after its effect"
	// held is not in the matrix: the call is made once the test lets it.
	held fault = "waits"
)

var faults = []fault{before, lost, twice, atOnce, timeOut, late, cancelled, gone}

// trap lets the first call at one point of a worker's ports go wrong, and notes all that are made.
type trap struct {
	at    string
	fault fault
	// sprung is closed when it has.
	sprung chan struct{}
	once   sync.Once
	// cancel asks for the cancellation of the workflow.
	cancel func()
	// end lets what hangs for ever go, when the case is over.
	end context.Context //nolint:containedctx // of the case
	// let is closed by the test to let go what is held.
	let chan struct{}
	// silent, unless nil, is closed by the test when the provider answers look-ups again.
	silent chan struct{}
	// afterwards are effects that come late.
	afterwards sync.WaitGroup

	mu    sync.Mutex
	calls []string
	dead  bool // the worker is gone: nothing that it does has an effect or an answer any more
}

func newTrap(end context.Context, at string, f fault) *trap {
	return &trap{at: at, fault: f, end: end, sprung: make(chan struct{}), let: make(chan struct{})}
}

// note tells whether the worker lives, and whether the trap springs now.
func (t *trap) note(point string) (alive, springs bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead {
		return false, false
	}
	t.calls = append(t.calls, point)
	if point == t.at && t.fault != none {
		t.once.Do(func() { springs = true; t.dead = t.fault == gone })
	}
	return true, springs
}

// made lists the points in the order of their first calls.
func (t *trap) made() (points []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := make(map[string]bool)
	for _, c := range t.calls {
		if !seen[c] {
			points = append(points, c)
		}
		seen[c] = true
	}
	return points
}

// spring makes one call of a port.
func spring[T any](ctx context.Context, t *trap, point string, do func(context.Context) (T, error)) (answer T, err error) {
	alive, springs := t.note(point)
	if !alive {
		<-t.end.Done()
		return answer, t.end.Err()
	}
	if !springs {
		return do(ctx)
	}
	switch t.fault {
	case before:
		defer close(t.sprung)
		return answer, order.Failf(order.Transient, "the trap: nothing was done")
	case lost:
		defer close(t.sprung)
		_, _ = do(ctx)
		return answer, order.Failf(order.Unknown, "the trap: no answer")
	case twice:
		_, _ = do(ctx)
	case atOnce:
		var other sync.WaitGroup
		other.Go(func() { _, _ = do(ctx) })
		defer other.Wait()
	case timeOut, late:
		defer close(t.sprung)
		<-ctx.Done()
		if t.fault == late {
			t.afterwards.Go(func() { _, _ = do(context.WithoutCancel(ctx)) })
		}
		return answer, order.Failf(order.Unknown, "the trap: %s", ctx.Err())
	case cancelled:
		t.cancel()
	case gone:
		_, _ = do(ctx)
		close(t.sprung)
		<-t.end.Done()
		return answer, t.end.Err()
	case held:
		close(t.sprung)
		select {
		case <-t.let:
		case <-t.end.Done():
		}
		return do(ctx)
	case none:
	}
	defer close(t.sprung)
	return do(ctx)
}

// trappedStock, trappedOrders and trappedPayments are a worker's ports.
type trappedStock struct {
	activities.Stock

	*trap
}

func (s trappedStock) Reserve(ctx context.Context, orders []order.Order) []order.Outcome[order.Reservation] {
	return outcomes(ctx, s.trap, "Reserve", len(orders), func(ctx context.Context) []order.Outcome[order.Reservation] {
		return s.Stock.Reserve(ctx, orders)
	})
}

func (s trappedStock) Release(ctx context.Context, releases []order.Releasing) []order.Outcome[order.Verdict] {
	return outcomes(ctx, s.trap, "Release", len(releases), func(ctx context.Context) []order.Outcome[order.Verdict] {
		return s.Stock.Release(ctx, releases)
	})
}

func (s trappedStock) Align(ctx context.Context, held []order.Held) error {
	_, err := spring(ctx, s.trap, "Align", func(ctx context.Context) (any, error) { return nil, s.Stock.Align(ctx, held) })
	return err
}

func (s trappedStock) Forget(ctx context.Context, skus []string) error {
	_, err := spring(ctx, s.trap, "Forget", func(ctx context.Context) (any, error) { return nil, s.Stock.Forget(ctx, skus) })
	return err
}

// outcomes is spring for a port that answers for each order.
func outcomes[T any](ctx context.Context, t *trap, point string, n int, do func(context.Context) []order.Outcome[T]) []order.Outcome[T] {
	answer, err := spring(ctx, t, point, func(ctx context.Context) ([]order.Outcome[T], error) { return do(ctx), nil })
	if err == nil {
		return answer
	}
	failed := make([]order.Outcome[T], n)
	for i := range failed {
		failed[i] = order.Undecided[T](err)
	}
	return failed
}

type trappedOrders struct {
	activities.Orders

	*trap
}

type rows = []order.Row

func (o trappedOrders) Open(ctx context.Context, in []order.Opening) (rows, error) {
	return spring(ctx, o.trap, "Open", func(ctx context.Context) (rows, error) { return o.Orders.Open(ctx, in) })
}

func (o trappedOrders) Commit(ctx context.Context, in []order.Key) (rows, error) {
	return spring(ctx, o.trap, "Commit", func(ctx context.Context) (rows, error) { return o.Orders.Commit(ctx, in) })
}

func (o trappedOrders) Conclude(ctx context.Context, in []order.Conclusion) (rows, error) {
	return spring(ctx, o.trap, "Conclude", func(ctx context.Context) (rows, error) { return o.Orders.Conclude(ctx, in) })
}

func (o trappedOrders) Close(ctx context.Context, in []order.Closing) (rows, error) {
	return spring(ctx, o.trap, "Close", func(ctx context.Context) (rows, error) { return o.Orders.Close(ctx, in) })
}

func (o trappedOrders) Cancel(ctx context.Context, in []order.Key) (rows, error) {
	return spring(ctx, o.trap, "Cancel", func(ctx context.Context) (rows, error) { return o.Orders.Cancel(ctx, in) })
}

func (o trappedOrders) Settle(ctx context.Context, in []order.Key) (rows, error) {
	return spring(ctx, o.trap, "Settle", func(ctx context.Context) (rows, error) { return o.Orders.Settle(ctx, in) })
}

type trappedPayments struct {
	activities.Payments

	*trap
}

func (p trappedPayments) Charge(ctx context.Context, id order.ID, amount order.Amount, method string) (order.Payment, error) {
	return spring(ctx, p.trap, "Charge", func(ctx context.Context) (order.Payment, error) {
		return p.Payments.Charge(ctx, id, amount, method)
	})
}

func (p trappedPayments) LookUp(ctx context.Context, id order.ID, amount order.Amount) (*order.Payment, error) {
	return spring(ctx, p.trap, "LookUp", func(ctx context.Context) (*order.Payment, error) {
		if p.silent != nil {
			select {
			case <-p.silent:
			default:
				return nil, order.Failf(order.Unknown, "the trap: the provider is silent")
			}
		}
		return p.Payments.LookUp(ctx, id, amount)
	})
}

func (p trappedPayments) Reverse(ctx context.Context, id order.ID) error {
	_, err := spring(ctx, p.trap, "Reverse", func(ctx context.Context) (any, error) { return nil, p.Payments.Reverse(ctx, id) })
	return err
}

func (t *trap) hasSprung() bool {
	select {
	case <-t.sprung:
		return true
	default:
		return false
	}
}

// gone tells that the worker is.
func (t *trap) gone() bool { return t.fault == gone && t.hasSprung() }

// died is closed when the worker is gone; nil for one that goes on.
func (t *trap) died() <-chan struct{} {
	if t.fault != gone {
		return nil
	}
	return t.sprung
}
