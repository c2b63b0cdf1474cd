package sandbox

import (
	"context"
	"sync"
	"time"
)

// DefaultAsyncDelay is how long a payment is pending: longer than an order waits for its first answer
// and shorter than a person does.
const DefaultAsyncDelay = time.Second

// resolveLater resolves a pending payment when its time has come, and tells the webhook what became of it,
// also if a reversal was faster. What the server's end interrupts, the journal brings back at the next
// Start.
func (s *Server) resolveLater(p payment) {
	reference := p.asked.Reference
	// Behind a restart only what is left of the delay, whatever the clock did meanwhile.
	left := min(max(time.Until(p.changed.Add(s.cfg.AsyncDelay)), 0), s.cfg.AsyncDelay)
	s.errands.begin(func(ctx context.Context) {
		if !pause(ctx, left) {
			return
		}
		resolved, err := s.book.resolve(reference)
		if err != nil {
			s.cfg.Logger.ErrorContext(ctx, "a pending payment stays so until the next start", "reference", reference, "error", err)
			return
		}
		s.webhooks.send(ctx, resolved.event())
	})
}

// pause tells whether the time passed before the context ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errands is what goes on without anybody's request, until the server ends.
type errands struct {
	lifetime context.Context //nolint:containedctx // the server's, which no call can hand down
	end      context.CancelFunc
	group    sync.WaitGroup

	mu    sync.Mutex // guards ended, so that none begins while stop waits for the last
	ended bool
}

func newErrands() *errands {
	e := new(errands)
	e.lifetime, e.end = context.WithCancel(context.Background())
	return e
}

// begin runs it beside the caller. After stop it does nothing.
func (e *errands) begin(errand func(context.Context)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.ended {
		e.group.Go(func() { errand(e.lifetime) })
	}
}

// stop ends their context and waits for them.
func (e *errands) stop() {
	e.mu.Lock()
	e.ended = true
	e.mu.Unlock()
	e.end()
	e.group.Wait()
}
