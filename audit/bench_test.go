package audit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/payment"
)

// BenchmarkAudit audits many confirmed orders of one SKU, charged and settled, in a MariaDB of their own. The ledger is in memory. A run that
// its limit ended reports how many orders it got through.
func BenchmarkAudit(b *testing.B) {
	for _, orders := range []int{100_000, 300_000} {
		b.Run(fmt.Sprintf("orders=%d", orders), func(b *testing.B) {
			db, book := confirmedOrders(b, orders)
			auditor := New(Config{Orders: db, Front: emptyFront{}, Ledger: book})
			var last Report
			for b.Loop() {
				var err error
				if last, err = auditor.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			if len(last.Violations) > 0 || last.Complete && last.Checked.Orders != orders {
				b.Fatalf("%+v", last)
			}
			b.ReportMetric(float64(last.Checked.Orders), "orders-checked")
			if !last.Complete {
				b.Log(last.Notes)
			}
		})
	}
}

// confirmedOrders writes the orders past the saga, which would take minutes.
func confirmedOrders(b *testing.B, n int) (*orderdb.DB, memoryLedger) {
	b.Helper()
	const chunk = 1000
	db, err := orderdb.OpenMySQL(testserver.MariaDBDatabase(b), 4)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Disconnect() })
	if _, _, err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, _, err := db.SetStock(b.Context(), "mug", orderdb.Setting{OnHand: int64(n)}, 0); err != nil {
		b.Fatal(err)
	}
	book := make(memoryLedger, 0, n)
	now := time.Now().UTC()
	exec := func(query string, args ...any) {
		if _, err := db.Pool().ExecContext(b.Context(), query, args...); err != nil {
			b.Fatal(err)
		}
	}
	for len(book) < n {
		var rows, lines []any
		for range chunk {
			id := order.NewID("c-1", fmt.Sprint(len(book)))
			rows = append(rows, id, now, now, now)
			lines = append(lines, id)
			book = append(book, payment.Entry{
				Number: int64(len(book)) + 1, Kind: payment.KindCharge, Reference: string(id), Amount: order.Amount{Minor: 10, Currency: "EUR"},
			})
		}
		exec(`INSERT INTO orders (id, fingerprint, customer_id, currency, payment_method, total, status, held, workflow_id, created_at, updated_at, settled_at) VALUES `+
			repeated("(?, '', 'c-1', 'EUR', 'tok_ok', 10, 'CONFIRMED', TRUE, '', ?, ?, ?)", chunk), rows...)
		exec("INSERT INTO order_lines (order_id, sku, quantity, unit_price) VALUES "+repeated("(?, 'mug', 1, 10)", chunk), lines...)
	}
	exec("UPDATE stock SET on_hand = 0")
	return db, book
}

func repeated(row string, n int) string { return strings.Repeat(row+", ", n-1) + row }
