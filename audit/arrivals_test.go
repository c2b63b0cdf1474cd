package audit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"holdfast/audit"
	"holdfast/order"
	"holdfast/warehouse"
)

// storeroom is a warehouse that has what it is told to have. Its pages hold two arrivals.
type storeroom struct {
	arrivals []warehouse.Arrival
	asked    func() // called before it answers
	err      error
}

func (s *storeroom) take(ids ...order.ID) {
	for _, id := range ids {
		s.arrivals = append(s.arrivals, warehouse.Arrival{Number: int64(len(s.arrivals)) + 1, ID: id})
	}
}

func (s *storeroom) Arrivals(_ context.Context, after int64, limit int) ([]warehouse.Arrival, int64, error) {
	if s.asked != nil {
		s.asked()
	}
	rest := s.arrivals[after:]
	if n := min(limit, 2); len(rest) > n {
		return rest[:n], rest[n-1].Number, s.err
	}
	return rest, 0, s.err
}

// assigned is a confirmed order on a page.
func (w *world) assigned(key string) order.Order {
	w.t.Helper()
	o := w.confirmed(key)
	w.exec("INSERT INTO handoff_orders (order_id, handoff_id, page) VALUES (?, 'h', 1)", o.ID)
	return o
}

func (w *world) handedOff(key string) order.Order {
	w.t.Helper()
	o := w.assigned(key)
	w.exec("UPDATE orders SET status = 'HANDED_OFF' WHERE id = ?", o.ID)
	return o
}

// TestWhereabouts: every way in which an order and the warehouse can disagree for good, and those that are none.
func TestWhereabouts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plant func(*world, *storeroom) order.Order
		want  audit.Kind
	}{
		"handed off and not there": {func(w *world, _ *storeroom) order.Order { return w.handedOff("a") }, audit.NotDelivered},
		"there twice": {func(w *world, s *storeroom) order.Order {
			o := w.handedOff("a")
			s.take(o.ID, o.ID)
			return o
		}, audit.DeliveredTwice},
		"confirmed, on no page, and there": {func(w *world, s *storeroom) order.Order {
			o := w.confirmed("a")
			s.take(o.ID)
			return o
		}, audit.DeliveredWrongly},
		"pending and there": {func(w *world, s *storeroom) order.Order {
			o := w.pending("a")
			s.take(o.ID)
			return o
		}, audit.DeliveredWrongly},
		"rejected and there": {func(w *world, s *storeroom) order.Order {
			o := w.rejected("a", true)
			s.take(o.ID)
			return o
		}, audit.DeliveredWrongly},
		"there without a row": {func(w *world, s *storeroom) order.Order {
			o := w.order("a")
			s.take(o.ID)
			return o
		}, audit.DeliveredWrongly},
		"handed off and there": {func(w *world, s *storeroom) order.Order {
			o := w.handedOff("a")
			s.take(o.ID)
			return o
		}, ""},
		"on a page and there": {func(w *world, s *storeroom) order.Order {
			o := w.assigned("a")
			s.take(o.ID)
			return o
		}, ""},
		"on a page and not there": {func(w *world, _ *storeroom) order.Order { return w.assigned("a") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, room := newWorld(t), &storeroom{}
			var others []order.ID
			for _, key := range []string{"other-1", "other-2", "other-3"} {
				others = append(others, w.handedOff(key).ID)
			}
			room.take(others...)
			o := test.plant(w, room)
			cfg := w.config()
			cfg.Warehouse = room
			report := w.audit(cfg)
			if report.Checked.Arrivals != len(room.arrivals) {
				t.Errorf("%d arrivals were looked at, want %d", report.Checked.Arrivals, len(room.arrivals))
			}
			if test.want == "" {
				w.wants(report)
				return
			}
			w.wants(report, string(test.want)+" "+string(o.ID))
			w.wants(w.run()) // without a warehouse nobody asks
		})
	}
}

// TestAnOrderThatIsHandedOffMeanwhile is in flight.
func TestAnOrderThatIsHandedOffMeanwhile(t *testing.T) {
	t.Parallel()
	w, room := newWorld(t), &storeroom{}
	o := w.confirmed("a")
	room.asked = func() {
		room.asked = nil
		w.exec("UPDATE orders SET status = 'HANDED_OFF' WHERE id = ?", o.ID)
		room.take(o.ID)
	}
	cfg := w.config()
	cfg.Warehouse = room
	w.wants(w.audit(cfg))
}

func TestAWarehouseThatDoesNotAnswerProvesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config()
	cfg.Warehouse = &storeroom{err: errAway}
	_, err := audit.New(cfg).Run(t.Context())
	if unreadable, ok := errors.AsType[*audit.UnreadableError](err); !ok || unreadable.What != audit.WarehouseBook {
		t.Errorf("%v", err)
	}
}

// TestAPurgedOrderAddsUp: what stays of it stands for its charge, its arrival and its units, and for nothing else.
func TestAPurgedOrderAddsUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plant func(w *world, room *storeroom, id order.ID)
		want  audit.Kind
	}{
		"as it was":            {func(*world, *storeroom, order.ID) {}, ""},
		"reversed afterwards":  {func(w *world, _ *storeroom, id order.ID) { w.ledger.reverse(id) }, audit.NotCharged},
		"charged once more":    {func(w *world, _ *storeroom, id order.ID) { w.ledger.charge(id) }, audit.WrongCharge},
		"sent once more":       {func(_ *world, s *storeroom, id order.ID) { s.take(id) }, audit.DeliveredTwice},
		"without what remains": {func(w *world, _ *storeroom, id order.ID) { w.exec("DELETE FROM stones WHERE order_id = ?", id) }, audit.ChargeWithoutOrder},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, room := newWorld(t), &storeroom{}
			sold := w.handedOff("sold")
			w.rejected("declined", true)
			room.take(sold.ID)
			w.confirmed("kept")
			purged, err := w.db.Purge(t.Context(), time.Now().Add(time.Hour), 100)
			if err != nil || purged.Orders != 2 {
				t.Fatalf("%+v, %v", purged, err)
			}
			test.plant(w, room, sold.ID)
			cfg := w.config()
			cfg.Warehouse = room
			report := w.audit(cfg)
			want := []string{}
			if test.want != "" {
				want = append(want, string(test.want)+" "+string(sold.ID))
			}
			if test.want == audit.ChargeWithoutOrder {
				want = append(want, string(audit.DeliveredWrongly)+" "+string(sold.ID))
			} else if report.Checked.Purged != 2 {
				t.Errorf("%+v", report.Checked)
			}
			w.wants(report, want...)
		})
	}
}
