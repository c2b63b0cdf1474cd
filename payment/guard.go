package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"holdfast/order"
)

const (
	// DefaultConcurrency bounds the requests open at the provider at once: those of ten batches, and at 200 ms an answer some
	// 10,000 a second.
	DefaultConcurrency = 2048
	// turnWait is how long a request waits for its turn. A step that waited longer would only keep others from their
	// own work, which need not be with the provider.
	turnWait = 250 * time.Millisecond

	// The provider counts as down if nearly all of a good number of requests came to nothing within a while. A lost
	// answer now and then, or a few orders that always fail, is not that.
	downRatio    = 0.8
	downRequests = 20
	downWindow   = 10 * time.Second
	// downPause lies between two requests that see whether it is back.
	downPause = 2 * time.Second
)

// Errors of a request that was not sent, for the provider's sake and that of all who wait for it.
var (
	errDown = errors.New("the payment provider is down: nothing was sent")
	errBusy = errors.New("the payment provider is slow, and many requests are open there: nothing was sent")
)

// guard stands before the provider: a slow one must not take every hand there is, and one that is down need not be
// asked by each order.
type guard struct {
	turns   bulkhead.Bulkhead[any]
	breaker circuitbreaker.CircuitBreaker[any]
}

func newGuard(concurrency int) *guard {
	return &guard{
		turns: bulkhead.NewBuilder[any](uint(concurrency)).Build(),
		breaker: circuitbreaker.NewBuilder[any]().
			WithFailureRateThreshold(downRatio, downRequests, downWindow).
			WithSuccessThreshold(1).
			WithDelay(downPause).
			Build(),
	}
}

// enter waits for the request's turn. The error says that nothing was sent. Otherwise leave must be called with how
// the request went.
func (g *guard) enter(ctx context.Context) (leave func(answered bool), err error) {
	err = g.turns.AcquirePermitWithMaxWait(ctx, turnWait)
	switch {
	case errors.Is(err, bulkhead.ErrFull):
		return nil, order.Failf(order.Transient, "%w", errBusy)
	case err != nil:
		return nil, fmt.Errorf("nothing was sent: %w", err)
	case !g.breaker.TryAcquirePermit():
		g.turns.ReleasePermit()
		return nil, order.Failf(order.Transient, "%w", errDown)
	}
	return func(answered bool) {
		g.turns.ReleasePermit()
		switch {
		case answered:
			g.breaker.RecordSuccess()
		case ctx.Err() == nil, !g.breaker.IsClosed():
			g.breaker.RecordFailure()
		default: // the caller left first, which says nothing of the provider
		}
	}, nil
}

func (g *guard) down() bool { return !g.breaker.IsClosed() }
