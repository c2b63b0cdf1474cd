package audit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"holdfast/audit"
	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/payment"
)

// stuck is a system in which the reading that is named never ends.
type stuck struct {
	*orderdb.DB
	*front
	*ledger

	at string
}

func (s stuck) wait(ctx context.Context, at string) error {
	if s.at != at {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s stuck) Balances(ctx context.Context, after string, limit int) ([]orderdb.Balance, error) {
	if after != "" {
		if err := s.wait(ctx, "stock"); err != nil {
			return nil, err
		}
	}
	return s.DB.Balances(ctx, after, limit)
}

func (s stuck) Counts(ctx context.Context, skus []string) (map[string]int64, error) {
	if err := s.wait(ctx, "front"); err != nil {
		return nil, err
	}
	return s.front.Counts(ctx, skus)
}

func (s stuck) Ledger(ctx context.Context, after int64, limit int) ([]payment.Entry, int64, error) {
	if err := s.wait(ctx, "money"); err != nil {
		return nil, 0, err
	}
	return s.ledger.Ledger(ctx, after, limit)
}

func (s stuck) Get(ctx context.Context, id order.ID) (orderdb.Record, error) {
	if err := s.wait(ctx, "settling"); err != nil {
		return orderdb.Record{}, err
	}
	return s.DB.Get(ctx, id)
}

// TestLimit: an audit whose time runs out says how far it looked, keeps what it found, and does not say that
// the promises hold.
func TestLimit(t *testing.T) {
	for at, left := range map[string]string{
		"stock":    "the stock of the SKUs after zz-0497; ",
		"front":    "the stock of ",
		"money":    "through the rows and the money of all orders; the orders that are not settled for long.",
		"settling": "through the orders that are not settled for long.",
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			o := w.pending("a")
			w.exec("UPDATE orders SET created_at = ? WHERE id = ?", time.Now().Add(-2*time.Hour).UTC(), o.ID)
			for i := range 600 {
				w.exec("INSERT INTO stock (sku, on_hand, created_at) VALUES (?, 0, '2026-01-01 00:00:00+00:00')", fmt.Sprintf("zz-%04d", i))
			}
			w.exec("UPDATE stock SET on_hand = 99 WHERE sku = 'mug'")
			s := stuck{DB: w.db, front: w.front, ledger: w.ledger, at: at}
			cfg := audit.Config{Orders: s, Front: s, Ledger: s, Pause: time.Millisecond, Limit: 2 * time.Second}
			report := w.audit(cfg)
			w.wants(report, "on_hand_differs mug")
			if report.Complete || len(report.Notes) != 1 || !noted(report, "time of 2s ran out") || !noted(report, left) {
				t.Errorf("complete is %v, and the notes are %q; want one with %q", report.Complete, report.Notes, left)
			}
		})
	}
}

// TestLimitWhileSomethingCannotBeRead names that, and gives no error.
func TestLimitWhileSomethingCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ledger.err = fmt.Errorf("the provider hangs: %w", context.DeadlineExceeded) // a request's own
	cfg := w.config()
	cfg.Limit, cfg.Patience = 500*time.Millisecond, time.Hour
	report := w.audit(cfg)
	if report.Complete || !noted(report, "The payment provider's ledger could not be read when it ran out.") {
		t.Errorf("complete is %v, and the notes are %q", report.Complete, report.Notes)
	}
}

// TestLimitAndNothingFound: what was not looked at does not hold.
func TestLimitAndNothingFound(t *testing.T) {
	w := newWorld(t)
	w.confirmed("a")
	cfg := w.config()
	cfg.Limit = time.Nanosecond
	report := w.audit(cfg)
	w.wants(report)
	if report.Holds || report.Complete || !noted(report, "the stock of all SKUs") {
		t.Errorf("holds is %v, complete is %v, the notes are %q", report.Holds, report.Complete, report.Notes)
	}
}

// TestCallerLeaves: a caller who goes away is no limit, and gets no report.
func TestCallerLeaves(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := audit.New(w.config()).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want the caller's", err)
	}
}
