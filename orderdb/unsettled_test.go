//go:build unix

package orderdb_test

import (
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
)

func TestUnsettledOrdersArePagedFromTheOldest(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		names := byKey{}
		at := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)
		place := func(key string, created time.Time) order.Order {
			t.Helper()
			o := newOrder(t, key, 1)
			db.open(t, o)
			db.exec(t, "UPDATE orders SET created_at = ? WHERE id = ?", created, string(o.ID))
			names[o.ID] = key
			return o
		}
		var same []string
		for i := range 5 { // of one moment, in id order
			same = append(same, string(place(fmt.Sprint("same-", i), at.Add(time.Microsecond)).ID))
		}
		slices.Sort(same)
		closed := place("closed", at.Add(10*time.Microsecond))
		settled := place("settled", at)
		sold := place("sold", at)
		place("young", at.Add(time.Second))
		place("old", at.Add(-time.Hour))
		must(db.Commit(t.Context(), keys(sold)))(t)
		must(db.Close(t.Context(), []order.Closing{rejecting(closed), cancelling(settled)}))(t)
		must(db.Settle(t.Context(), keys(settled)))(t)

		want := []string{"old"}
		for _, id := range same {
			want = append(want, names[order.ID(id)])
		}
		want = append(want, "closed")
		elsewhere := time.FixedZone("elsewhere", 11*3600)
		for page := 1; page <= len(want)+1; page++ {
			var got []string
			var after orderdb.Position
			for {
				records := must(db.Unsettled(t.Context(), after, at.Add(time.Second).In(elsewhere), page))(t)
				for _, r := range records {
					if r.SettledAt != nil || r.Validate() != nil || r.Order.Fingerprint() != r.Fingerprint {
						t.Fatalf("read %+v", r)
					}
				}
				got = append(got, names.keysOf(records)...)
				if len(records) < page {
					break
				}
				last := records[len(records)-1]
				after = orderdb.Position{CreatedAt: last.CreatedAt.In(elsewhere), ID: last.ID}
			}
			if !slices.Equal(got, want) {
				t.Errorf("by pages of %d: %v, want %v", page, got, want)
			}
		}
	})
}

// alone is how the engines say that an index is read and no row.
var alone = regexp.MustCompile(`(?i)covering index|using index\b`)

// TestUnsettledOrdersAreFoundByTheirIndex asks each engine how it reads the few among many.
func TestUnsettledOrdersAreFoundByTheirIndex(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		const batches, batch = 20, 200
		for b := range batches {
			var values []string
			var args []any
			for i := range batch {
				n := b*batch + i
				var settled any
				if created := at.Add(time.Duration(n) * time.Second); n%50 != 0 {
					settled = created
				}
				values = append(values, "(?, 'f', 'c', 'EUR', 'tok', 1, 'REJECTED', 0, 'w', ?, ?, ?)")
				args = append(args, fmt.Sprintf("ord_%026d", n), at.Add(time.Duration(n)*time.Second), at, settled)
			}
			db.exec(t, "INSERT INTO orders (id, fingerprint, customer_id, currency, payment_method, total, status, held, workflow_id,"+
				" created_at, updated_at, settled_at) VALUES "+strings.Join(values, ", "), args...)
		}
		explain := "EXPLAIN "
		if db.mysql {
			db.exec(t, "ANALYZE TABLE orders")
		} else {
			explain = "EXPLAIN QUERY PLAN "
		}
		plan := answerOf(t, db, explain+"SELECT * FROM orders WHERE (settled_at IS NULL AND created_at < ?)"+
			" AND (created_at >= ? AND (created_at > ? OR id > ?)) ORDER BY created_at, id LIMIT 20",
			at.Add(time.Hour), at.Add(time.Minute), at.Add(time.Minute), "ord_x")
		if !strings.Contains(plan, "orders_by_settling") || strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "filesort") {
			t.Errorf("the plan is %s", plan)
		}
		plan = answerOf(t, db, explain+"SELECT 1 FROM orders WHERE settled_at IS NULL AND created_at < ?"+
			" AND (only_event OR status IN ('CONFIRMED', 'HANDED_OFF')) AND announced = '' LIMIT 20", at.Add(time.Hour))
		if !strings.Contains(plan, "orders_by_settling") || !alone.MatchString(plan) || strings.Contains(plan, "Using index condition") {
			t.Errorf("counting has the plan %s", plan)
		}
		records := must(db.Unsettled(t.Context(), orderdb.Position{}, at.Add(24*time.Hour), 1000))(t)
		if len(records) != batches*batch/50 {
			t.Errorf("%d orders are unsettled", len(records))
		}
	})
}

// answerOf gives all that a query answers in one text.
func answerOf(t *testing.T, db *database, query string, args ...any) string {
	t.Helper()
	rows, err := db.Pool().QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i, cell := range cells {
			fmt.Fprintf(&text, "%s=%s ", columns[i], cell.String)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
