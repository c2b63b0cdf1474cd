package httpapi

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/workflows"
)

func (s *shop) cancelling(o order.Order) request {
	return request{method: http.MethodPost, path: orderPath(o.ID) + "/cancel", header: map[string]string{"Prefer": "wait=0", "Content-Type": ""}}
}

// cancel does to the row what the workflow does up to its last step, which is settle.
func (s *shop) cancel(o order.Order) {
	_, err := s.db.Cancel(context.Background(), []order.Key{o.Key()})
	s.must(err)
}

func (s *shop) settle(o order.Order) {
	_, err := s.db.Settle(context.Background(), []order.Key{o.Key()})
	s.must(err)
}

// assign gives the order to a hand-off.
func (s *shop) assign(order.Order) {
	s.must(s.db.Assign(context.Background(), order.PageKey{HandOff: "h", Page: 1}, time.Now(), 1))
}

func TestCancelAnswersWhatTheRowSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(*shop, order.Order) // how the order stands
		run    func(*shop, order.Order) // what the workflow does; nil if none may be started
		status int
		slug   slug
		end    order.Status
	}{
		"a confirmed order": {
			before: (*shop).confirm,
			run:    func(s *shop, o order.Order) { s.cancel(o); s.settle(o) },
			status: http.StatusOK, end: order.Cancelled,
		},
		"a pending order": {
			before: (*shop).open,
			run:    func(s *shop, o order.Order) { s.cancel(o); s.settle(o) },
			status: http.StatusOK, end: order.Cancelled,
		},
		"a charge that is not reversed yet": {
			before: (*shop).confirm, run: (*shop).cancel, status: http.StatusAccepted, end: order.Cancelled,
		},
		"a cancellation that has not begun": {
			before: (*shop).open, run: func(*shop, order.Order) {}, status: http.StatusAccepted, end: order.Pending,
		},
		"a repeat": {
			before: func(s *shop, o order.Order) { s.confirm(o); s.cancel(o); s.settle(o) },
			status: http.StatusOK, end: order.Cancelled,
		},
		"a repeat of one that was cut off": {
			before: func(s *shop, o order.Order) { s.confirm(o); s.cancel(o) }, run: (*shop).settle,
			status: http.StatusOK, end: order.Cancelled,
		},
		"a rejected order": {
			before: func(s *shop, o order.Order) { s.closing(order.Rejected, order.ReasonPaymentDeclined, "")(o) },
			status: http.StatusConflict, slug: slugOrderClosed, end: order.Rejected,
		},
		"an order that is handed off": {
			before: func(s *shop, o order.Order) {
				s.confirm(o)
				s.exec("UPDATE orders SET status = 'HANDED_OFF'")
			},
			status: http.StatusConflict, slug: slugHandedOff, end: order.HandedOff,
		},
		"an order that is on its way to the warehouse": {
			before: func(s *shop, o order.Order) { s.confirm(o); s.assign(o) },
			status: http.StatusConflict, slug: slugHandedOff, end: order.Confirmed,
		},
		"an order that a hand-off takes meanwhile": {
			before: (*shop).confirm, run: (*shop).assign,
			status: http.StatusConflict, slug: slugHandedOff, end: order.Confirmed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, o := newShop(t), goodOrder(t)
			c.before(s, o)
			s.temporal.run = func(o order.Order) {
				if c.run == nil {
					t.Error("a workflow was started")
					return
				}
				c.run(s, o)
			}
			w := s.send(s.cancelling(o))
			if c.slug != "" {
				if p := problem(t, w, c.status, c.slug); p.OrderID != o.ID {
					t.Errorf("answered %+v", p)
				}
			} else if doc := document[orderDoc](t, w, c.status); doc.Status != c.end || w.Header().Get("Location") != orderPath(o.ID) {
				t.Errorf("answered %+v, Location %q", doc, w.Header().Get("Location"))
			}
			if record, err := s.db.Get(t.Context(), o.ID); err != nil || record.Status != c.end {
				t.Errorf("on record is %s, %v, want %s", record.Status, err, c.end)
			}
			if c.run != nil && (s.temporal.options.ID != workflows.CancelWorkflowID(o.ID) || s.temporal.name != workflows.CancelOrderName) {
				t.Errorf("started %s %s", s.temporal.name, s.temporal.options.ID)
			}
		})
	}
}

func TestCancelRefusesWhatItCannotMean(t *testing.T) {
	t.Parallel()
	s, o := newShop(t), goodOrder(t)
	problem(t, s.send(s.cancelling(o)), http.StatusNotFound, slugNotFound)
	s.confirm(o)
	s.unchanged(func() {
		bad := s.cancelling(o)
		bad.path = "/v1/orders/ord_1/cancel"
		problem(t, s.send(bad), http.StatusUnprocessableEntity, slugInvalid)
		bad = s.cancelling(o)
		bad.header["Prefer"] = "wait=31"
		problem(t, s.send(bad), http.StatusUnprocessableEntity, slugInvalid)
	})
}

// TestCancelWithoutTemporalIsNotKnown, unless the row says that the order is cancelled.
func TestCancelWithoutTemporalIsNotKnown(t *testing.T) {
	t.Parallel()
	s, o := newShop(t), goodOrder(t)
	s.confirm(o)
	s.temporal.err = errors.New("connection refused to 10.0.0.7")
	w := s.send(s.cancelling(o))
	if problem(t, w, http.StatusServiceUnavailable, slugUnavailable); w.Header().Get("Retry-After") == "" {
		t.Error("without Retry-After")
	}
	s.cancel(o)
	document[orderDoc](t, s.send(s.cancelling(o)), http.StatusAccepted)
}

// TestAPageOfAnotherSiteCancelsNothing: the request needs no body, so no type of one gives it away.
func TestAPageOfAnotherSiteCancelsNothing(t *testing.T) {
	t.Parallel()
	s, o := newShop(t), goodOrder(t)
	s.confirm(o)
	for _, header := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "same-site", "Content-Type": "text/plain"},
	} {
		s.unchanged(func() {
			r := s.cancelling(o)
			r.header = header
			problem(t, s.send(r), http.StatusForbidden, slugCrossOrigin)
		})
	}
}
