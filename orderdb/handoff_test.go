//go:build unix

package orderdb_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/order"
)

var later = time.Now().Add(time.Hour)

func page(handOff string, n int) order.PageKey { return order.PageKey{HandOff: handOff, Page: n} }

// sold makes confirmed orders of a mug each.
func (db *database) sold(t *testing.T, name string, n int) []order.Order {
	t.Helper()
	orders := make([]order.Order, n)
	for i := range orders {
		orders[i] = newOrder(t, fmt.Sprint(name, "-", i), 1)
	}
	db.open(t, orders...)
	must(db.Commit(t.Context(), keys(orders...)))(t)
	return orders
}

func (db *database) assign(t *testing.T, key order.PageKey, cutoff time.Time, limit int) []order.ID {
	t.Helper()
	if err := db.Assign(t.Context(), key, cutoff, limit); err != nil {
		t.Fatal(err)
	}
	return db.assignedTo(t, key)
}

func (db *database) assignedTo(t *testing.T, key order.PageKey) []order.ID {
	t.Helper()
	manifest, _, err := db.Manifest(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]order.ID, len(manifest.Orders))
	for i, parcel := range manifest.Orders {
		ids[i] = parcel.ID
	}
	return ids
}

// undelivered reads page by page.
func (db *database) undelivered(t *testing.T) (keys []order.PageKey) {
	t.Helper()
	for after := (order.PagePlace{}); ; {
		places := must(db.Undelivered(t.Context(), after, 2))(t)
		for _, place := range places {
			keys = append(keys, place.PageKey)
			after = place
		}
		if len(places) < 2 {
			return keys
		}
	}
}

func (db *database) deliver(t *testing.T, key order.PageKey, want order.Delivery, rejected ...order.Refusal) {
	t.Helper()
	want.PageKey = key
	if got := must(db.Deliver(t.Context(), key, rejected))(t); got != want {
		t.Errorf("delivered as %+v, want %+v", got, want)
	}
}

func (db *database) wantStatus(t *testing.T, id order.ID, want order.Status) {
	t.Helper()
	if got := must(db.Get(t.Context(), id))(t).Status; got != want {
		t.Errorf("%s is %s, want %s", id, got, want)
	}
}

func sorted(orders []order.Order) []order.ID {
	ids := make([]order.ID, len(orders))
	for i, o := range orders {
		ids[i] = o.ID
	}
	slices.Sort(ids)
	return ids
}

func TestAPageIsAssignedOnceAndStaysAsItIs(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		first := db.sold(t, "first", 3)
		if got := db.assign(t, page("a", 1), later, 3); !slices.Equal(got, sorted(first)) {
			t.Errorf("assigned %q, want %q", got, sorted(first))
		}
		db.sold(t, "second", 3)
		if got := db.assign(t, page("a", 1), later, 200); !slices.Equal(got, sorted(first)) {
			t.Errorf("the repeat assigned %q, want %q", got, sorted(first))
		}
		if got := db.assign(t, page("a", 2), later, 200); len(got) != 3 {
			t.Errorf("the next page has %q", got)
		}
		if got := db.assign(t, page("a", 3), later, 200); len(got) != 0 {
			t.Errorf("a page without orders has %q", got)
		}
		pages := db.undelivered(t)
		if !slices.Equal(pages, []order.PageKey{page("a", 1), page("a", 2)}) {
			t.Errorf("undelivered are %v", pages)
		}
	})
}

// TestADryRunCountsInParts, also of orders that were placed in one moment.
func TestADryRunCountsInParts(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		want := func(n, limit int) {
			t.Helper()
			if got := must(db.CountUnassigned(t.Context(), later, limit))(t); got != n {
				t.Errorf("up to %d, %d would be handed off, want %d", limit, got, n)
			}
		}
		want(0, 100)
		db.sold(t, "sold", 9) // a multiple of what one statement counts
		want(9, 100)
		db.exec(t, "UPDATE orders SET created_at = ?", time.Now().UTC().Truncate(time.Second))
		db.sold(t, "more", 1)
		want(10, 100)
		db.assign(t, page("a", 1), later, 4)
		want(10, 100)
		want(8, 8)
		must(db.Deliver(t.Context(), page("a", 1), nil))(t)
		want(6, 100)
		want(2, 2)
	})
}

func TestWhatIsHandedOff(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		sold := db.sold(t, "sold", 2)
		pending := newOrder(t, "pending", 1)
		db.open(t, pending)
		cancelledOrder := db.sold(t, "cancelled", 1)[0]
		must(db.Cancel(t.Context(), keys(cancelledOrder)))(t)
		cutoff := must(db.Get(t.Context(), pending.ID))(t).CreatedAt
		late := db.sold(t, "late", 1)[0]
		db.exec(t, "UPDATE orders SET created_at = ? WHERE id = ?", cutoff.Add(time.Second), late.ID)
		if n := must(db.CountUnassigned(t.Context(), cutoff, 100))(t); n != len(sold) {
			t.Errorf("%d would be handed off, want %d", n, len(sold))
		}
		if got := db.assign(t, page("a", 1), cutoff, 200); !slices.Equal(got, sorted(sold)) {
			t.Errorf("assigned %q, want %q", got, sorted(sold))
		}
		// What was opened before the cutoff and is committed late goes with the next hand-off, however much later that cuts off.
		must(db.Commit(t.Context(), keys(pending)))(t)
		if got, want := db.assign(t, page("b", 1), later, 200), sorted([]order.Order{pending, late}); !slices.Equal(got, want) {
			t.Errorf("the next hand-off has %q, want %q", got, want)
		}
	})
}

func TestDelivered(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		orders := db.sold(t, "sold", 4)
		db.assign(t, page("a", 1), later, 200)
		bad := order.Refusal{ID: orders[2].ID, Reason: "no such address"}
		want := order.Delivery{Orders: 4, HandedOff: 3, Rejected: 1}
		db.deliver(t, page("a", 1), want, bad)
		db.deliver(t, page("a", 1), want) // the repeat's warehouse may say what it likes
		for i, o := range orders {
			status := order.HandedOff
			if i == 2 {
				status = order.Confirmed
			}
			db.wantStatus(t, o.ID, status)
		}
		record := must(db.Get(t.Context(), bad.ID))(t)
		if record.AttentionSince == nil || record.AttentionReason != "the warehouse does not take it: no such address" {
			t.Errorf("nobody is asked: %+v", record)
		}
		if must(db.Assigned(t.Context(), bad.ID))(t) || !must(db.Assigned(t.Context(), orders[0].ID))(t) {
			t.Error("the order that was rejected is assigned, or one that was delivered is not")
		}
		// It goes again tomorrow, not before, and needs nobody once it is taken.
		for _, again := range []order.PageKey{page("a", 2), page("at once", 1)} {
			if got := db.assign(t, again, later, 200); len(got) != 0 {
				t.Errorf("page %s has %q", again, got)
			}
		}
		if got := db.assign(t, page("b", 1), later.Add(time.Microsecond), 200); !slices.Equal(got, []order.ID{bad.ID}) {
			t.Errorf("the next hand-off has %q", got)
		}
		db.deliver(t, page("b", 1), order.Delivery{Orders: 1, HandedOff: 1})
		if record := must(db.Get(t.Context(), bad.ID))(t); record.Status != order.HandedOff || record.AttentionSince != nil {
			t.Errorf("handed off in the end, it is %+v", record)
		}
		if pages := db.undelivered(t); len(pages) != 0 {
			t.Errorf("undelivered are %v", pages)
		}
	})
}

func TestARefusedPageStaysToBeDelivered(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		orders := db.sold(t, "sold", 2)
		db.assign(t, page("a", 1), later, 200)
		for again := range 2 {
			places := must(db.Undelivered(t.Context(), order.PagePlace{}, 2))(t)
			if len(places) != 1 || places[0].Problem != (again > 0) {
				t.Errorf("before refusal %d, to be delivered are %+v", again+1, places)
			}
			got := must(db.Refuse(t.Context(), page("a", 1), "it is closed"))(t)
			if want := (order.Delivery{PageKey: page("a", 1), Orders: 2, Refused: "it is closed"}); got != want {
				t.Errorf("refused as %+v, want %+v", got, want)
			}
		}
		record := must(db.Get(t.Context(), orders[0].ID))(t)
		if record.AttentionSince == nil || record.Status != order.Confirmed || !must(db.Assigned(t.Context(), record.ID))(t) {
			t.Errorf("its order is %+v", record)
		}
		db.deliver(t, page("a", 1), order.Delivery{Orders: 2, HandedOff: 2})
		got := must(db.Refuse(t.Context(), page("a", 1), "too late"))(t)
		if want := (order.Delivery{PageKey: page("a", 1), Orders: 2, HandedOff: 2}); got != want {
			t.Errorf("refused after it was delivered: %+v, want %+v", got, want)
		}
		if record := must(db.Get(t.Context(), orders[0].ID))(t); record.AttentionSince != nil {
			t.Errorf("an order that the warehouse has needs a person: %+v", record)
		}
	})
}

// TestTwoHandOffsAtOnceShareNoOrder, and two workers that assign the same page assign it once.
func TestTwoHandOffsAtOnceShareNoOrder(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const n, limit = 40, 7
		db.stocked(t, "mug", n)
		orders := db.sold(t, "sold", n)
		programs := []*database{db, {DB: db.again(t)}, {DB: db.again(t)}, {DB: db.again(t)}}
		atOnce(len(programs), func(i int) {
			handOff := []string{"a", "b"}[i%2]
			for p := 1; ; p++ {
				if err := programs[i].Assign(t.Context(), page(handOff, p), later, limit); err != nil {
					t.Error(err)
					return
				}
				manifest, _, err := programs[i].Manifest(t.Context(), page(handOff, p))
				if err != nil {
					t.Error(err)
					return
				}
				if len(manifest.Orders) > limit {
					t.Errorf("page %s has %d orders", manifest.PageKey, len(manifest.Orders))
				}
				if len(manifest.Orders) == 0 {
					return
				}
			}
		})
		var all []order.ID
		for _, key := range db.undelivered(t) {
			all = append(all, db.assignedTo(t, key)...)
		}
		slices.Sort(all)
		if !slices.Equal(all, sorted(orders)) {
			t.Errorf("%d orders are on pages, want each of %d once", len(all), n)
		}
	})
}

// TestACancellationAndAHandOffAtOnce: exactly one of them gets each order.
func TestACancellationAndAHandOffAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const n = 30
		db.stocked(t, "mug", n)
		orders := db.sold(t, "sold", n)
		other := db.again(t)
		atOnce(2, func(i int) {
			if i == 0 {
				for p := 1; p <= n/5; p++ {
					if err := db.Assign(t.Context(), page("a", p), later, 5); err != nil {
						t.Error(err)
					}
				}
				return
			}
			for _, o := range slices.Backward(orders) {
				if _, err := other.Cancel(t.Context(), keys(o)); err != nil {
					t.Error(err)
				}
			}
		})
		for _, o := range orders {
			assigned := must(db.Assigned(t.Context(), o.ID))(t)
			row := must(db.Cancel(t.Context(), keys(o)))(t)[0]
			if row.Changed || assigned != (row.Status == order.Confirmed) || !assigned && row.Status != order.Cancelled {
				t.Errorf("assigned is %t, and the cancellation says %+v", assigned, row)
			}
		}
		for _, key := range db.undelivered(t) {
			must(db.Deliver(t.Context(), key, nil))(t)
		}
		for _, o := range orders {
			record := must(db.Get(t.Context(), o.ID))(t)
			if record.Status != order.HandedOff && record.Status != order.Cancelled {
				t.Errorf("%s is %s in the end", o.ID, record.Status)
			}
		}
	})
}

// TestARowThatWasChangedByHandHoldsNoOtherUp: the page is delivered, and a person is asked to look at what the warehouse has.
func TestARowThatWasChangedByHandHoldsNoOtherUp(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		orders := db.sold(t, "sold", 4)
		db.assign(t, page("a", 1), later, 200)
		db.exec(t, "UPDATE orders SET status = 'REJECTED', reason = 'failed' WHERE id = ?", orders[1].ID)
		db.exec(t, "UPDATE orders SET status = 'HANDED_OFF' WHERE id = ?", orders[2].ID)
		db.exec(t, "DELETE FROM orders WHERE id = ?", orders[3].ID)
		db.meddled = true
		db.deliver(t, page("a", 1), order.Delivery{Orders: 4, HandedOff: 4})
		db.wantStatus(t, orders[0].ID, order.HandedOff)
		db.wantStatus(t, orders[2].ID, order.HandedOff)
		if record := must(db.Get(t.Context(), orders[1].ID))(t); record.Status != order.Rejected || record.AttentionSince == nil {
			t.Errorf("nobody is asked: %+v", record)
		}
		if left := db.undelivered(t); len(left) != 0 {
			t.Errorf("left is %v", left)
		}
	})
}

func TestAPageThatIsNotThere(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		_, err := db.Deliver(t.Context(), page("nobody's", 1), nil)
		wantClass(t, err, order.Final)
		_, err = db.Refuse(t.Context(), page("nobody's", 1), "x")
		wantClass(t, err, order.Final)
		manifest, delivered, err := db.Manifest(t.Context(), page("nobody's", 1))
		if err != nil || len(manifest.Orders) != 0 || delivered == nil || *delivered != (order.Delivery{PageKey: page("nobody's", 1)}) {
			t.Errorf("%+v, %+v, %v", manifest, delivered, err)
		}
	})
}
