package audit

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/payment"
)

type memoryLedger []payment.Entry

func (l memoryLedger) Ledger(_ context.Context, after int64, limit int) ([]payment.Entry, int64, error) {
	rest := l[after:]
	if len(rest) > limit {
		return rest[:limit], after + int64(limit), nil
	}
	return rest, 0, nil
}

func (l memoryLedger) Net(_ context.Context, id order.ID) (net int64, err error) {
	for _, e := range l {
		if e.Reference == string(id) {
			net += signed(e)
		}
	}
	return net, nil
}

type emptyFront struct{}

func (emptyFront) Counts(context.Context, []string) (map[string]int64, error) {
	return map[string]int64{}, nil
}

// TestWindows: however few orders are held at a time, every order meets all of its money, and money
// without an order is found below, between and above them.
func TestWindows(t *testing.T) {
	db, err := orderdb.OpenSQLite(filepath.Join(t.TempDir(), "orders.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Disconnect() })
	if _, _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.SetStock(t.Context(), "mug", orderdb.Setting{OnHand: 100}, 0); err != nil {
		t.Fatal(err)
	}
	var book memoryLedger
	const orders = 30
	for i := range orders {
		o, err := order.New("c-1", fmt.Sprint(i), "EUR", "tok_ok", []order.Line{{SKU: "mug", Quantity: 1, UnitPrice: 10}})
		if err != nil {
			t.Fatal(err)
		}
		book = append(book, payment.Entry{Number: int64(i) + 1, Kind: payment.KindCharge, Reference: string(o.ID), Amount: order.Amount{Minor: 10, Currency: "EUR"}})
		if i%3 == 0 {
			continue // charged without a row
		}
		if _, err := db.Open(t.Context(), []order.Opening{{Order: o}}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Commit(t.Context(), []order.Key{o.Key()}); err != nil {
			t.Fatal(err)
		}
	}
	for window := 1; window <= orders; window++ {
		a := New(Config{Orders: db, Front: emptyFront{}, Ledger: book})
		a.window = window
		report, err := a.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Violations) != orders/3 || report.Checked.Orders != orders-orders/3 || report.Checked.LedgerEntries != orders {
			t.Errorf("window of %d: %d violations, checked %+v", window, len(report.Violations), report.Checked)
		}
		for _, v := range report.Violations {
			if v.Kind != ChargeWithoutOrder {
				t.Errorf("window of %d: %+v", window, v)
			}
		}
	}
}
