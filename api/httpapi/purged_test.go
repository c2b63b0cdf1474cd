package httpapi

import (
	"context"
	"net/http"
	"testing"
	"time"

	"holdfast/order"
)

// purge deletes whatever may be deleted.
func (s *shop) purge() {
	s.t.Helper()
	if _, err := s.db.Purge(context.Background(), time.Now().Add(time.Hour), 100); err != nil {
		s.t.Fatal(err)
	}
}

// TestAPurgedOrderAnswersItsRepeats as before, starts nothing, and is said to be gone to everybody else.
func TestAPurgedOrderAnswersItsRepeats(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    func(*shop, order.Order)
		status int
		slug   slug
	}{
		"handed off": {func(s *shop, o order.Order) {
			s.confirm(o)
			s.assign(o)
			_, err := s.db.Deliver(context.Background(), order.PageKey{HandOff: "h", Page: 1}, nil)
			s.must(err)
		}, http.StatusCreated, ""},
		"declined": {func(s *shop, o order.Order) {
			s.closing(order.Rejected, order.ReasonPaymentDeclined, "no funds")(o)
			s.settle(o)
		}, http.StatusPaymentRequired, slugPaymentDeclined},
		"sold out": {func(s *shop, o order.Order) {
			s.closing(order.Rejected, order.ReasonSoldOut, "mug")(o)
			s.settle(o)
		}, http.StatusConflict, slugSoldOut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, o := newShop(t), goodOrder(t)
			c.end(s, o)
			before := s.post(goodBody)
			s.purge()
			s.temporal.run = s.open // what a workflow that is started does
			s.unchangedRows(func() {
				w := s.post(goodBody)
				if c.slug != "" {
					if p := problem(t, w, c.status, c.slug); p.OrderID != o.ID {
						t.Errorf("answered %+v", p)
					}
				} else if doc := document[orderDoc](t, w, c.status); doc.ID != string(o.ID) || doc.Total != 600 || len(doc.Lines) != 1 || doc.CustomerID != "c-1" {
					t.Errorf("answered %+v, before %s", doc, before.Body)
				}
				problem(t, s.post(with("mug", "pen")), http.StatusUnprocessableEntity, slugKeyReused)
				if p := problem(t, s.get(orderPath(o.ID)), http.StatusGone, slugPurged); p.OrderID != o.ID {
					t.Errorf("answered %+v", p)
				}
				problem(t, s.send(s.cancelling(o)), http.StatusGone, slugPurged)
			})
		})
	}
}

// unchangedRows checks that nothing was written.
func (s *shop) unchangedRows(do func()) {
	s.t.Helper()
	before := s.snapshot()
	do()
	if after := s.snapshot(); after != before {
		s.t.Errorf("the order database changed from %s to %s", before, after)
	}
}
