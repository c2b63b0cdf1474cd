package audit

import (
	"fmt"
	"testing"

	"holdfast/internal/testorders"
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

// confirmedOrders makes a database with so many orders, and the ledger of their charges.
func confirmedOrders(b *testing.B, n int) (*orderdb.DB, memoryLedger) {
	b.Helper()
	const price = 10
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
	for i, id := range testorders.Confirmed(b, db.Pool(), "mug", n, price) {
		book = append(book, payment.Entry{
			Number: int64(i) + 1, Kind: payment.KindCharge, Reference: string(id), Amount: order.Amount{Minor: price, Currency: "EUR"},
		})
	}
	return db, book
}
