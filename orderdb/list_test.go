//go:build unix

package orderdb_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
)

// keysOf turns records back into the keys that newOrder was given.
func (k byKey) keysOf(records []orderdb.Record) []string {
	found := make([]string, len(records))
	for i, r := range records {
		found[i] = k[r.ID]
	}
	return found
}

type byKey map[order.ID]string

func TestAListIsPagedThoughAllOrdersAreOfOneMoment(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const orders, page = 10, 3
		db.stocked(t, "mug", 100)
		var batch []order.Order
		for i := range orders {
			batch = append(batch, newOrder(t, i, 1))
		}
		db.open(t, batch...)

		var listed []order.ID
		f := orderdb.Filter{Limit: page}
		for {
			records := must(db.List(t.Context(), f))(t)
			for _, r := range records {
				if !r.CreatedAt.Equal(records[0].CreatedAt) || len(r.Lines) != 1 {
					t.Fatalf("listed %+v", r)
				}
				listed = append(listed, r.ID)
			}
			if len(records) < page {
				break
			}
			last := records[page-1]
			f.Before = &orderdb.Position{CreatedAt: last.CreatedAt, ID: last.ID}
			// What comes in meanwhile is newer than every page that is still to be read.
			db.open(t, newOrder(t, fmt.Sprint("late-", len(listed)), 1))
		}
		want := make([]order.ID, orders)
		for i, o := range batch {
			want[i] = o.ID
		}
		slices.Sort(want)
		slices.Reverse(want)
		if !slices.Equal(listed, want) {
			t.Errorf("listed\n%v, want\n%v", listed, want)
		}
	})
}

func TestFiltersSelect(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		names := byKey{}
		at := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)
		place := func(key, customer string, age time.Duration) order.Order {
			t.Helper()
			o, err := order.New(customer, key, "EUR", "tok_ok", []order.Line{{SKU: "mug", Quantity: 1}})
			if err != nil {
				t.Fatal(err)
			}
			db.open(t, o)
			db.exec(t, "UPDATE orders SET created_at = ? WHERE id = ?", at.Add(-age), string(o.ID))
			names[o.ID] = key
			return o
		}
		place("pending", "alice", 1*time.Hour)
		sold := place("sold", "bob", 2*time.Hour)
		closed := place("closed", "alice", 3*time.Hour)
		settled := place("settled", "bob", 4*time.Hour)
		stuck := place("stuck", "alice", 5*time.Hour)
		must(db.Commit(t.Context(), keys(sold)))(t)
		must(db.Close(t.Context(), []order.Closing{cancelling(closed), cancelling(settled)}))(t)
		must(db.Settle(t.Context(), keys(settled)))(t)
		must(db.Attend(t.Context(), []order.Attention{{Key: stuck.Key(), Reason: "no answer"}}))(t)

		yes, no := true, false
		elsewhere := time.FixedZone("elsewhere", 11*3600)
		for _, c := range []struct {
			name   string
			filter orderdb.Filter
			want   []string
		}{
			{"nothing set", orderdb.Filter{}, []string{"pending", "sold", "closed", "settled", "stuck"}},
			{"the first two", orderdb.Filter{Limit: 2}, []string{"pending", "sold"}},
			{"a status", orderdb.Filter{Status: order.Cancelled}, []string{"closed", "settled"}},
			{"a status that none has", orderdb.Filter{Status: order.HandedOff}, []string{}},
			{"a customer", orderdb.Filter{CustomerID: "alice"}, []string{"pending", "closed", "stuck"}},
			{"a customer that no column could hold", orderdb.Filter{CustomerID: "älice 😀"}, []string{}},
			{"who needs a person", orderdb.Filter{Attention: &yes}, []string{"stuck"}},
			{"who needs none", orderdb.Filter{Attention: &no}, []string{"pending", "sold", "closed", "settled"}},
			{"unsettled", orderdb.Filter{UnsettledBefore: at}, []string{"pending", "closed", "stuck"}},
			{"unsettled for long", orderdb.Filter{UnsettledBefore: at.Add(-3 * time.Hour)}, []string{"stuck"}},
			{"unsettled, by another clock", orderdb.Filter{UnsettledBefore: at.Add(-2 * time.Hour).In(elsewhere)}, []string{"closed", "stuck"}},
			{"all together", orderdb.Filter{
				Status: order.Pending, CustomerID: "alice", Attention: &no, UnsettledBefore: at,
				Before: &orderdb.Position{CreatedAt: at.In(elsewhere)},
			}, []string{"pending"}},
			{"after one", orderdb.Filter{Before: &orderdb.Position{CreatedAt: at.Add(-2 * time.Hour).In(elsewhere), ID: sold.ID}}, []string{"closed", "settled", "stuck"}},
		} {
			if c.filter.Limit == 0 {
				c.filter.Limit = 50
			}
			if got := names.keysOf(must(db.List(t.Context(), c.filter))(t)); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	})
}

func TestEndsAreReadInPagesById(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		var ids []order.ID
		for i := range 7 {
			o := newOrder(t, i, int64(i)+1)
			db.open(t, o)
			ids = append(ids, o.ID)
			if i%2 == 0 {
				must(db.Commit(t.Context(), keys(o)))(t)
			}
		}
		slices.Sort(ids)
		var read []order.ID
		var sold int64
		for after := order.ID(""); ; {
			ends := must(db.Ends(t.Context(), after, 3))(t)
			for _, e := range ends {
				read, after = append(read, e.ID), e.ID
				if e.Status == order.Confirmed {
					sold += e.Total
				}
				if (e.Status == order.Confirmed) != (e.SettledAt != nil) || e.CreatedAt.IsZero() {
					t.Errorf("read %+v", e)
				}
			}
			if len(ends) < 3 {
				break
			}
		}
		if !slices.Equal(read, ids) || sold != 1+3+5+7 {
			t.Errorf("read %v, %d sold, want %v", read, sold, ids)
		}
		some := must(db.EndsOf(t.Context(), []order.ID{ids[5], newOrder(t, "never", 1).ID, ids[2]}))(t)
		if len(some) != 2 || some[0].ID != ids[2] || some[1].ID != ids[5] {
			t.Errorf("of two orders and one that never was there are %v", some)
		}
	})
}

// The position in a list and the age of a charge are compared to the microsecond.
func TestTimesAreExactAndUTC(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		o := newOrder(t, 1, 1)
		row := must(db.Open(t.Context(), openings(o)))(t)[0]
		record := must(db.Get(t.Context(), o.ID))(t)
		// Not only Equal: the answer of the first call and that of a repeat go out as the same JSON.
		if row.CreatedAt != record.CreatedAt || record.UpdatedAt != record.CreatedAt || row.CreatedAt.Nanosecond()%1000 != 0 {
			t.Errorf("opened at %v, on record is %v, %v", row.CreatedAt, record.CreatedAt, record.UpdatedAt)
		}
		if age := time.Since(row.CreatedAt); age < 0 || age > time.Hour {
			t.Errorf("opened %s ago", age)
		}

		berlin := time.FixedZone("", 2*3600)
		base := time.Date(2026, 10, 25, 2, 30, 0, 0, berlin)
		microseconds := []int64{0, 1, 10, 100_000, 100_001, 120_000, 500_000, 999_999, 1_000_000, 1_000_001} // ascending
		want := make([]string, 0, len(microseconds))
		names := byKey{}
		for i, n := range microseconds {
			o := newOrder(t, fmt.Sprint("at-", i), 1)
			db.open(t, o)
			names[o.ID] = fmt.Sprint(i)
			want = append([]string{fmt.Sprint(i)}, want...)
			at := base.Add(time.Duration(n) * time.Microsecond)
			db.exec(t, "UPDATE orders SET created_at = ?, settled_at = ? WHERE id = ?", at, at, string(o.ID))
			got := must(db.Get(t.Context(), o.ID))(t)
			if !got.CreatedAt.Equal(at) || !got.SettledAt.Equal(at) || got.CreatedAt.Location() != time.UTC || got.SettledAt.Location() != time.UTC {
				t.Errorf("%v became %v and %v", at, got.CreatedAt, got.SettledAt)
			}
			// The first half microsecond of a list's cursor must not skip or repeat a neighbour.
			before := must(db.List(t.Context(), orderdb.Filter{Limit: 50, Before: &orderdb.Position{CreatedAt: at, ID: o.ID}}))(t)
			if len(before) != i {
				t.Errorf("before the order at %s there are %d, want %d", at, len(before), i)
			}
		}
		listed := must(db.List(t.Context(), orderdb.Filter{Limit: len(microseconds), Before: &orderdb.Position{CreatedAt: base.Add(time.Hour)}}))(t)
		if got := names.keysOf(listed); !slices.Equal(got, want) {
			t.Errorf("listed %v, want %v", got, want)
		}
	})
}
