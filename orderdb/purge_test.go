//go:build unix

package orderdb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
)

// endedOrders are an order in each final status, and some that are not to be purged.
type endedOrders struct {
	handedOff, declined, cancelled            order.Order
	pending, confirmed, unsettled, onlyClosed order.Order
}

// endAll makes them: 2 units each of "mug", and one of "pen" with what is handed off.
func (db *database) endAll(t *testing.T, name string) (e endedOrders) {
	t.Helper()
	all := []*order.Order{&e.handedOff, &e.declined, &e.cancelled, &e.pending, &e.confirmed, &e.unsettled, &e.onlyClosed}
	for i, o := range all {
		*o = newOrder(t, fmt.Sprint(name, "-", i), 2)
	}
	e.handedOff = newOrder(t, name+"-handed-off", 0, order.Line{SKU: "mug", Quantity: 2, UnitPrice: 10}, order.Line{SKU: "pen", Quantity: 1, UnitPrice: 5})
	db.open(t, e.handedOff, e.declined, e.cancelled, e.pending, e.confirmed, e.unsettled)
	must(db.Commit(t.Context(), keys(e.handedOff)))(t)
	db.assign(t, page(name, 1), later, 200)
	must(db.Deliver(t.Context(), page(name, 1), nil))(t)
	must(db.Commit(t.Context(), keys(e.cancelled, e.confirmed, e.unsettled)))(t)
	must(db.Cancel(t.Context(), keys(e.cancelled, e.unsettled)))(t)
	must(db.Close(t.Context(), []order.Closing{rejecting(e.declined), rejecting(e.onlyClosed)}))(t)
	must(db.Settle(t.Context(), keys(e.cancelled, e.declined)))(t)
	return e
}

func (db *database) purge(t *testing.T, before time.Time, want int64) order.Purged {
	t.Helper()
	purged := must(db.Purge(t.Context(), before, 100))(t)
	if purged.Orders != want {
		t.Errorf("%+v, want %d orders", purged, want)
	}
	return purged
}

func TestOnlyWhatHasEndedAndIsOldIsPurged(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		db.stocked(t, "pen", 100)
		e := db.endAll(t, "a")
		db.purge(t, time.Now().Add(-time.Hour), 0)
		wantConserved(t, db)
		purged := db.purge(t, later, 3)
		if !purged.Done || purged.Lines != 4 || purged.Assignments != 1 {
			t.Errorf("%+v", purged)
		}
		db.purge(t, later, 0)
		wantConserved(t, db)
		for _, o := range []order.Order{e.pending, e.confirmed, e.unsettled, e.onlyClosed} {
			if record := must(db.Get(t.Context(), o.ID))(t); record.PurgedAt != nil || len(record.Lines) != 1 {
				t.Errorf("%+v", record)
			}
		}
		db.wantStock(t, "mug", 96, 2) // two are sold and gone, two sold, two held
		db.wantStock(t, "pen", 99, 0)
		var counted int64
		row := db.Pool().QueryRowContext(t.Context(), "SELECT SUM(deleted) FROM deletions WHERE reason = 'retention' AND day = ?", time.Now().UTC().Format(time.DateOnly))
		if err := row.Scan(&counted); err != nil || counted != 3+4+1 {
			t.Errorf("%d deletions are counted, %v", counted, err)
		}
	})
}

// TestAStoneAnswersForItsOrder: a repeat is told how it ended, and neither sells nor charges again; another order under its id is refused.
func TestAStoneAnswersForItsOrder(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.stocked(t, "mug", 100)
		db.stocked(t, "pen", 100)
		e := db.endAll(t, "a")
		db.purge(t, later, 3)
		for _, c := range []struct {
			o      order.Order
			status order.Status
			reason order.Reason
			net    int64
		}{
			{e.handedOff, order.HandedOff, "", 25},
			{e.declined, order.Rejected, order.ReasonPaymentDeclined, 0},
			{e.cancelled, order.Cancelled, order.ReasonRequested, 0},
		} {
			want := order.Row{Status: c.status, Reason: c.reason, Settled: true}
			if c.status == order.Rejected {
				want.Detail = "no funds"
			}
			for name, rows := range map[string][]order.Row{
				"open":   must(db.Open(t.Context(), openings(c.o)))(t),
				"commit": must(db.Commit(t.Context(), keys(c.o)))(t),
				"close":  must(db.Close(t.Context(), []order.Closing{cancelling(c.o)}))(t),
				"cancel": must(db.Cancel(t.Context(), keys(c.o)))(t),
				"settle": must(db.Settle(t.Context(), keys(c.o)))(t),
				"attend": must(db.Attend(t.Context(), []order.Attention{{Key: c.o.Key(), Reason: "x"}}))(t),
			} {
				if len(rows) != 1 || rows[0].Status != want.Status || rows[0].Reason != want.Reason || !rows[0].Settled || rows[0].Changed {
					t.Errorf("%s of what was %s: %+v", name, c.status, rows)
				}
			}
			record := must(db.Get(t.Context(), c.o.ID))(t)
			many := must(db.GetMany(t.Context(), []order.ID{c.o.ID, e.pending.ID}))(t)
			for _, r := range []orderdb.Record{record, many[c.o.ID]} {
				if r.PurgedAt == nil || r.Status != c.status || r.Fingerprint != c.o.Fingerprint() || r.Total != c.net || r.Detail != want.Detail {
					t.Errorf("on record is %+v", r)
				}
			}
			other := c.o
			other.Lines = []order.Line{{SKU: "mug", Quantity: 9, UnitPrice: 1}}
			if rows := must(db.Open(t.Context(), openings(other)))(t); !rows[0].KeyReused {
				t.Errorf("another order under its id: %+v", rows)
			}
		}
		db.wantStock(t, "mug", 96, 2)
		ends := must(db.Ends(t.Context(), "", 4))(t)
		rest := must(db.Ends(t.Context(), ends[3].ID, 100))(t)
		purged := 0
		for i, end := range append(ends, rest...) {
			if end.Purged {
				purged++
			}
			if i > 0 && i < 4 && ends[i-1].ID >= end.ID {
				t.Error("the orders are not sorted")
			}
		}
		if len(ends) != 4 || len(rest) != 3 || purged != 3 {
			t.Errorf("%d and %d ends, %d of them purged", len(ends), len(rest), purged)
		}
		if _, err := db.Get(t.Context(), order.NewID("x", "y")); !errors.Is(err, orderdb.ErrNotFound) {
			t.Errorf("an order that never was: %v", err)
		}
	})
}

// TestPurgesAtOnceDeleteEachOrderOnce, while orders are sold and cancelled.
func TestPurgesAtOnceDeleteEachOrderOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		const n = 40
		db.stocked(t, "mug", 10*n)
		db.sold(t, "sold", n)
		for p := 1; p <= 4; p++ {
			db.assign(t, page("a", p), later, n/4)
			must(db.Deliver(t.Context(), page("a", p), nil))(t)
		}
		programs := []*orderdb.DB{db.DB, db.again(t), db.again(t)}
		var counts [3]int64
		atOnce(len(programs)+1, func(i int) {
			if i == len(programs) {
				for k := range 10 {
					db.sold(t, fmt.Sprint("meanwhile-", k), 2)
				}
				return
			}
			for {
				purged, err := programs[i].Purge(t.Context(), later, 7)
				if err != nil {
					t.Error(err)
					return
				}
				counts[i] += purged.Orders
				if purged.Done {
					return
				}
			}
		})
		if counts[0]+counts[1]+counts[2] != n {
			t.Errorf("%v orders were purged, want %d together", counts, n)
		}
		db.wantStock(t, "mug", 10*n-n-20, 0)
		db.purge(t, later, 0)
	})
}
