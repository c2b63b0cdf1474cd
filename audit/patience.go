package audit

import (
	"context"
	"fmt"
	"time"
)

// What an audit cannot do without.
const (
	OrderDatabase = "order database"
	PaymentLedger = "payment provider's ledger"
	WarehouseBook = "warehouse's arrivals"
)

// UnreadableError says that the audit could not look, so that nothing is proven either way.
type UnreadableError struct {
	What string // OrderDatabase, PaymentLedger or WarehouseBook
	Err  error

	interrupted bool // nothing failed before the audit's own time was over
}

// Error names what could not be read, and why.
func (e *UnreadableError) Error() string { return fmt.Sprintf("read the %s: %v", e.What, e.Err) }

// Unwrap gives the reason.
func (e *UnreadableError) Unwrap() error { return e.Err }

const (
	firstRest = 100 * time.Millisecond
	longRest  = 5 * time.Second
)

// ask reads, and does so again for as long as the audit has patience: after an hour of reading, one lost connection is no reason to begin
// anew. The error is an *UnreadableError: the last failure, or the context's error if that has ended the only reading.
func ask[T any](ctx context.Context, r *run, what string, read func() (T, error)) (T, error) {
	answer, err := read()
	if err == nil {
		return answer, nil
	}
	var failed error
	for until, rest := time.Now().Add(r.cfg.Patience), firstRest; ctx.Err() == nil; rest = min(2*rest, longRest) {
		failed = err
		if time.Now().Add(rest).After(until) || pause(ctx, rest) != nil {
			break
		}
		if answer, err = read(); err == nil {
			return answer, nil
		}
	}
	if failed == nil {
		return answer, &UnreadableError{What: what, Err: ctx.Err(), interrupted: true}
	}
	return answer, &UnreadableError{What: what, Err: failed}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
