package stock

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/redis/go-redis/v9"

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

// trust knows whether Redis can be asked, and which of its counts may be trusted: those of the current
// epoch. An epoch ends when Redis was away, since orders went on without it, and when it was restarted,
// since it may have come back with an older state. The epoch is kept in the order database, for it has to
// outlive every program, and every count carries the one in which it was loaded.
type trust struct {
	source  Source
	metrics *frontMetrics
	probe   func(context.Context) error
	breaker circuitbreaker.CircuitBreaker[any]
	// doubts counts the reasons why the epoch that is known has to end before a count is trusted, and resolved those
	// for which one did.
	doubts, resolved atomic.Int64

	epoch  atomic.Int64  // 0 until it was read
	asking chan struct{} // holds a token while the epoch is asked for

	servers sync.Map // run id by the address of a server
}

func newTrust(source Source, metrics *frontMetrics, probe func(context.Context) error) *trust {
	t := &trust{source: source, metrics: metrics, probe: probe, asking: make(chan struct{}, 1)}
	t.breaker = circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(failuresToOpen).
		WithSuccessThreshold(1).
		WithDelay(probePause).
		OnOpen(func(circuitbreaker.StateChangedEvent) { t.doubts.Add(1) }).
		// What this program did while Redis was away is in no count, and neither is what it did since it last ended
		// the epoch.
		OnClose(func(circuitbreaker.StateChangedEvent) { t.doubts.Add(1) }).
		Build()
	return t
}

func (t *trust) degraded() bool { return !t.breaker.IsClosed() }

// admit gives the epoch for a call that may be made. The error is errAway if Redis is away; who finds it
// back learns that by a look, and not by an order.
func (t *trust) admit(ctx context.Context) (int64, error) {
	if !t.breaker.TryAcquirePermit() {
		return 0, errAway
	}
	if t.breaker.IsHalfOpen() {
		probe, cancel := context.WithTimeout(context.WithoutCancel(ctx), probePatience)
		defer cancel()
		if err := t.probe(probe); err != nil {
			t.breaker.RecordFailure()
			return 0, errAway
		}
		t.breaker.RecordSuccess()
	}
	return t.current(ctx)
}

// distrust makes sure that no count from before is trusted again. It is called whenever something goes on
// without Redis.
func (t *trust) distrust(ctx context.Context) error {
	_, err := t.current(ctx)
	return err
}

// current gives the epoch, ending the known one first if that is in doubt.
func (t *trust) current(ctx context.Context) (int64, error) {
	// The epoch is stored before its doubts are resolved, so in this order an old one is not taken for the new.
	if t.resolved.Load() == t.doubts.Load() {
		if epoch := t.epoch.Load(); epoch != 0 {
			return epoch, nil
		}
	}
	return t.ask(ctx, func(known int64) (int64, error) {
		if known == 0 {
			var err error
			if known, err = t.source.Epoch(ctx); err != nil {
				return 0, err
			}
		}
		doubts := t.doubts.Load()
		if doubts == t.resolved.Load() {
			return known, nil
		}
		next, err := t.source.NextEpoch(ctx, known)
		if err != nil {
			return 0, err
		}
		t.epoch.Store(next)
		t.resolved.Store(doubts)
		t.metrics.epochs.Inc()
		return next, nil
	})
}

// outdated is called by who found a count of a later epoch than the one given.
func (t *trust) outdated(ctx context.Context, epoch int64) error {
	_, err := t.ask(ctx, func(known int64) (int64, error) {
		if known > epoch {
			return known, nil // someone else was told as well
		}
		return t.source.Epoch(ctx)
	})
	return err
}

// ask lets one caller at a time find out about the epoch. The others wait no longer than they can.
func (t *trust) ask(ctx context.Context, find func(known int64) (int64, error)) (int64, error) {
	select {
	case <-ctx.Done():
		return 0, order.Failf(order.Transient, "the epoch of the counts is being asked for: %w", ctx.Err())
	case t.asking <- struct{}{}:
	}
	defer func() { <-t.asking }()
	epoch, err := find(t.epoch.Load())
	if err == nil {
		t.epoch.Store(epoch)
	}
	return epoch, err
}

// record takes note of how a call to Redis went. A caller who left says nothing of Redis.
func (t *trust) record(ctx context.Context, err error) {
	switch {
	case err == nil:
		t.breaker.RecordSuccess()
	case errors.Is(ctx.Err(), context.Canceled):
	default:
		t.breaker.RecordFailure()
	}
}

// connected looks at the server behind a new connection: one that was restarted may have come back with
// counts from a while ago.
func (t *trust) connected(ctx context.Context, conn *redis.Conn) error {
	id, err := serverID(ctx, conn)
	if refused := redis.Error(nil); errors.As(err, &refused) {
		return nil // this user may not ask: a restart goes unnoticed, and rows and reconciliation correct what it brought
	}
	if err != nil {
		return err
	}
	if before, known := t.servers.Swap(conn.String(), id); known && before != id {
		t.doubts.Add(1)
	}
	return nil
}
