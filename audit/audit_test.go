package audit_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/audit"
	"holdfast/order"
)

// TestNothingAtAll: an empty system keeps its promises, and says so in JSON without a null list.
func TestNothingAtAll(t *testing.T) {
	w := newWorld(t)
	report := w.run()
	w.wants(report)
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"holds":true`, `"violations":[]`, `"notes":[]`, `"in_flight":0`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

// TestCleanSystem: every way in which an order rightly ends, and every way in which it rightly is on
// its way, holds.
func TestCleanSystem(t *testing.T) {
	w := newWorld(t)
	w.confirmed("a")
	w.rejected("b", true)
	undone := w.rejected("c", true)
	w.ledger.charge(undone.ID)
	w.ledger.reverse(undone.ID)
	w.pending("d") // before its charge
	w.ledger.charge(w.pending("e").ID)
	w.ledger.charge(w.rejected("f", false).ID) // before its reversal
	free, err := order.New("c-1", "g", "EUR", "tok_ok", []order.Line{{SKU: "pen", Quantity: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.Open(t.Context(), []order.Opening{{Order: free}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.Commit(t.Context(), []order.Key{free.Key()}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.db.Receive(t.Context(), "mug", -10, "r-1", "broken"); err != nil {
		t.Fatal(err)
	}
	w.front.counts["pen"] = 99
	w.front.counts["mug"] = 1 // in flight: not compared

	report := w.run()
	w.wants(report)
	want := audit.Checked{SKUs: 2, RedisCounts: 1, Orders: 7, LedgerEntries: 5}
	if report.Checked != want {
		t.Errorf("checked %+v, want %+v", report.Checked, want)
	}
	if report.InFlight != 3 || report.Oldest == nil || report.Oldest.Status != order.Pending {
		t.Errorf("in flight are %d, the oldest %+v; want 3, a PENDING one", report.InFlight, report.Oldest)
	}
}

// TestUnreadable: an audit that could not look proves nothing, and says what it could not read.
func TestUnreadable(t *testing.T) {
	for what, spoil := range map[string]func(*world){
		audit.PaymentLedger: func(w *world) { w.ledger.err = errAway },
		audit.OrderDatabase: func(w *world) { w.exec("DROP TABLE order_lines") },
	} {
		w := newWorld(t)
		spoil(w)
		_, err := audit.New(w.config()).Run(t.Context())
		unreadable, ok := errors.AsType[*audit.UnreadableError](err)
		if !ok || unreadable.What != what {
			t.Errorf("the error is %v, want one about the %s", err, what)
		}
	}
}

// TestManyViolations: a disaster fills the list, and the rest is counted without asking for each.
func TestManyViolations(t *testing.T) {
	w := newWorld(t)
	const orders = 130
	for i := range orders {
		w.ledger.charge(w.order(strings.Repeat("k", i+1)).ID)
	}
	asked := 0
	w.ledger.netting = func(order.ID) { asked++ }
	report := w.run()
	if len(report.Violations) != 100 || report.Omitted != orders-100 || report.Holds || asked != 100 {
		t.Errorf("%d violations, %d omitted, holds %v, asked %d times", len(report.Violations), report.Omitted, report.Holds, asked)
	}
}

// TestUnsettled: silence is the violation, not age.
func TestUnsettled(t *testing.T) {
	long := time.Now().Add(-2 * time.Hour).UTC()
	age := func(w *world, o order.Order, created, updated time.Time) {
		w.exec("UPDATE orders SET created_at = ?, updated_at = ? WHERE id = ?", created, updated, o.ID)
	}
	t.Run("silent for long", func(t *testing.T) {
		w := newWorld(t)
		pending, closed := w.pending("a"), w.rejected("b", false)
		age(w, pending, long, long)
		age(w, closed, long, long)
		report := w.run()
		ids := []order.ID{min(pending.ID, closed.ID), max(pending.ID, closed.ID)}
		w.wants(report, "unsettled "+string(ids[0]), "unsettled "+string(ids[1]))
		if report.InFlight != 2 {
			t.Errorf("%d in flight, want 2", report.InFlight)
		}
	})
	t.Run("old, and something happened", func(t *testing.T) {
		w := newWorld(t)
		age(w, w.pending("a"), long, time.Now().UTC())
		w.wants(w.run())
	})
	t.Run("old, and somebody was asked to look", func(t *testing.T) {
		w := newWorld(t)
		o := w.pending("a")
		if _, err := w.db.Attend(t.Context(), []order.Attention{{Key: o.Key(), Reason: "Charge has had no answer"}}); err != nil {
			t.Fatal(err)
		}
		age(w, o, long, long)
		report := w.run()
		w.wants(report)
		if report.Oldest == nil || report.Oldest.OrderID != o.ID || report.Oldest.CreatedAt.After(long.Add(time.Second)) {
			t.Errorf("the oldest in flight is %+v, want %s", report.Oldest, o.ID)
		}
	})
	t.Run("a shorter grace", func(t *testing.T) {
		w := newWorld(t)
		o := w.pending("a")
		cfg := w.config()
		cfg.Grace = time.Nanosecond
		report, err := audit.New(cfg).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.wants(report, "unsettled "+string(o.ID))
	})
}
