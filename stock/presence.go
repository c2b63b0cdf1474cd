package stock

import (
	"context"
	"sync"
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
	// probePause lies between two looks whether Redis is back, unless it comes and goes.
	probePause = time.Second
	// maxProbePause lies between them at most.
	maxProbePause = 30 * time.Second
	// steady is how long Redis must have been there to be given the short pause again.
	steady = 10 * time.Second
	// probePatience bounds such a look.
	probePatience = 500 * time.Millisecond
)

// presence knows whether Redis can be asked. It is away if it is not reached, and also if it is but takes no
// writes, because it is full or a replica: it would go on answering reads.
type presence struct {
	breaker  circuitbreaker.CircuitBreaker[any]
	probe    func(context.Context) error // a write where the last failure was
	refusals atomic.Int32                // of writes, in a row

	// A Redis that comes and goes, such as one that is full and expires keys, is left alone for longer each time.
	returned  atomic.Int64 // when it last did, in Unix nanoseconds
	pause     atomic.Int64 // until it is looked at again, in nanoseconds
	lookAfter atomic.Int64 // in Unix nanoseconds

	mu      sync.Mutex
	wentAt  time.Time     // zero while it is there
	wasAway time.Duration // all the times before
}

// newPresence makes one that calls lost whenever Redis went away or came back.
func newPresence(probe func(context.Context) error, lost func()) *presence {
	p := &presence{probe: probe}
	p.breaker = circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(failuresToOpen).
		WithSuccessThreshold(1).
		WithDelay(probePause).
		OnOpen(func(e circuitbreaker.StateChangedEvent) {
			if e.OldState == circuitbreaker.ClosedState { // and not from a look in vain
				p.went()
				lost()
			}
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) {
			p.came()
			lost()
		}).
		Build()
	return p
}

// went decides when it is looked at again.
func (p *presence) went() {
	pause := probePause
	if time.Since(time.Unix(0, p.returned.Load())) < steady {
		pause = min(2*time.Duration(p.pause.Load()), maxProbePause)
	}
	p.pause.Store(int64(pause))
	p.lookAfter.Store(time.Now().Add(pause).UnixNano())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wentAt = time.Now()
}

func (p *presence) came() {
	p.returned.Store(time.Now().UnixNano())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wasAway += time.Since(p.wentAt)
	p.wentAt = time.Time{}
}

// awayFor is how long it has been away so far, all times together.
func (p *presence) awayFor() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wentAt.IsZero() {
		return p.wasAway
	}
	return p.wasAway + time.Since(p.wentAt)
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
	if time.Now().UnixNano() < p.lookAfter.Load() {
		p.breaker.RecordFailure() // which gives the permit back
		return errAway
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

// outOfTime tells whether a caller has left, or has no time left. The context learns of that by a timer, which may come after
// the connection has failed at the same moment.
func outOfTime(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	return ctx.Err() != nil || bounded && !time.Now().Before(deadline)
}

// record takes note of how a call went. One that was not reached because its caller left, or had no time left,
// says nothing of Redis, which is given less time than any step has.
func (p *presence) record(ctx context.Context, s service) {
	switch s {
	case notReached:
		if !outOfTime(ctx) {
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
