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
}

// Error names what could not be read, and why.
func (e *UnreadableError) Error() string { return fmt.Sprintf("read the %s: %v", e.What, e.Err) }

// Unwrap gives the reason.
func (e *UnreadableError) Unwrap() error { return e.Err }

func unreadable(what string, err error) error {
	if err == nil {
		return nil
	}
	return &UnreadableError{What: what, Err: err}
}

const (
	firstRest = 100 * time.Millisecond
	longRest  = 5 * time.Second
)

// read reads, and does so again for as long as the audit has patience: after an hour of reading, one lost connection is no reason to
// begin anew.
func (r *run) read(ctx context.Context, what string, read func() error) error {
	err := read()
	for until, rest := time.Now().Add(r.cfg.Patience), firstRest; err != nil && time.Now().Add(rest).Before(until); rest = min(2*rest, longRest) {
		if pause(ctx, rest) != nil {
			break
		}
		err = read()
	}
	return unreadable(what, err)
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
