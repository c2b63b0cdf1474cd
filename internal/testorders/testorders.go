// Package testorders writes orders past the saga, for tests and benchmarks that begin with more of them than it could carry in their time.
package testorders

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/order"
)

// chunk is how many rows one statement writes.
const chunk = 1000

// Confirmed writes n CONFIRMED and settled orders of one unit each to MySQL or MariaDB, and takes the units from the SKU's stock. Price is
// in minor units of EUR; that the orders are charged is for the caller to see to.
func Confirmed(tb testing.TB, db *sql.DB, sku string, n int, price int64) []order.ID {
	tb.Helper()
	exec := func(query string, args ...any) {
		tb.Helper()
		if _, err := db.ExecContext(tb.Context(), query, args...); err != nil {
			tb.Fatal(err)
		}
	}
	ids := make([]order.ID, n)
	now := time.Now().UTC()
	for from := 0; from < n; from += chunk {
		some := ids[from:min(from+chunk, n)]
		var rows, lines []any
		for i := range some {
			some[i] = order.NewID("c-1", fmt.Sprint(from+i))
			rows = append(rows, some[i], price, now, now, now)
			lines = append(lines, some[i], sku, price)
		}
		exec(`INSERT INTO orders (id, fingerprint, customer_id, currency, payment_method, total, status, held, workflow_id, created_at, updated_at, settled_at) VALUES `+
			repeated("(?, '', 'c-1', 'EUR', 'tok_ok', ?, 'CONFIRMED', TRUE, '', ?, ?, ?)", len(some)), rows...)
		exec("INSERT INTO order_lines (order_id, sku, quantity, unit_price) VALUES "+repeated("(?, ?, 1, ?)", len(some)), lines...)
	}
	exec("UPDATE stock SET on_hand = on_hand - ? WHERE sku = ?", n, sku)
	return ids
}

func repeated(row string, n int) string { return strings.Repeat(row+", ", n-1) + row }
