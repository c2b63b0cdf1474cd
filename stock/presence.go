package stock

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"holdfast/order"
)

// errAway means that Redis is known to be away and was not asked.
var errAway = order.Failf(order.Transient, "Redis is away")

const (
	// failuresToOpen in a row, and Redis is away. A lone time-out on a busy machine is not enough, and a
	// step has had that many tries within its budget.
	failuresToOpen = 3
	// probePause lies between two looks whether Redis is back.
	probePause = time.Second
	// probePatience bounds such a look.
	probePatience = 500 * time.Millisecond
)

// presence knows whether Redis can be asked. It is away if it is not reached, and also if it is but takes no
// writes, because it is full or a replica: it would go on answering reads.
type presence struct {
	breaker  circuitbreaker.CircuitBreaker[any]
	probe    func(context.Context) error // a write where the last failure was
	refusals atomic.Int32                // of writes, in a row
}

// newPresence makes one that calls lost whenever Redis went away or came back.
func newPresence(probe func(context.Context) error, lost func()) *presence {
	changed := func(circuitbreaker.StateChangedEvent) { lost() }
	return &presence{probe: probe, breaker: circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(failuresToOpen).
		WithSuccessThreshold(1).
		WithDelay(probePause).
		OnOpen(changed).
		OnClose(changed).
		Build()}
}

func (p *presence) away() bool { return !p.breaker.IsClosed() }

// admit returns errAway unless a call may be made. Who finds Redis back learns that by a look, and not by an order.
func (p *presence) admit(ctx context.Context) error {
	if !p.breaker.TryAcquirePermit() {
		return errAway
	}
	if !p.breaker.IsHalfOpen() {
		return nil
	}
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), probePatience)
	defer cancel()
	if err := p.probe(look); err != nil {
		p.breaker.RecordFailure()
		return errAway
	}
	p.breaker.RecordSuccess()
	return nil
}

// service is what a call was to Redis, from nothing to all that can be asked of it.
type service int

const (
	notReached service = iota
	refused
	readOnly
	written
)

// record takes note of how a call went. One that was not reached because its caller left, or had no time left,
// says nothing of Redis, which is given less time than any step has.
func (p *presence) record(ctx context.Context, s service) {
	switch s {
	case notReached:
		if ctx.Err() == nil {
			p.breaker.RecordFailure()
		}
	case refused:
		if p.refusals.Add(1) >= failuresToOpen {
			p.refusals.Store(0)
			p.breaker.Open()
		}
	case readOnly:
		p.breaker.RecordSuccess()
	case written:
		p.refusals.Store(0)
		p.breaker.RecordSuccess()
	}
}
