package httpapi

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
)

// outcomeUnknown checks the answer after which nobody knows what became of the order.
func outcomeUnknown(t *testing.T, s *shop, w *httptest.ResponseRecorder, secret string) {
	t.Helper()
	p := problem(t, w, http.StatusServiceUnavailable, slugUnavailable)
	if p.OrderID != "" || w.Header().Get("Retry-After") != "1" || !strings.Contains(p.Detail, "same Idempotency-Key") {
		t.Errorf("answered %s with %v", w.Body, w.Header())
	}
	if strings.Contains(w.Body.String(), secret) {
		t.Errorf("%s tells %q", w.Body, secret)
	}
	if errs := s.logs.errors(); len(errs) != 1 || !strings.Contains(errs[0], secret) || !strings.Contains(errs[0], w.Header().Get(requestIDHeader)) {
		t.Errorf("logged %q, want %q once with the request's id", errs, secret)
	}
}

// TestNoRow: 202 is given only once the row exists.
func TestNoRow(t *testing.T) {
	s := newShop(t)
	s.api.patience.row = 500 * time.Millisecond
	s.temporal.run, s.temporal.forever = nil, true
	w := s.send(request{method: http.MethodPost, path: "/v1/orders", body: goodBody, header: map[string]string{"Prefer": "wait=0"}})
	outcomeUnknown(t, s, w, "not found")
}

// TestTemporalAway: nothing is known of a new order; a repeat is answered by its row all the same.
func TestTemporalAway(t *testing.T) {
	s := newShop(t)
	s.temporal.err = errors.New("dial tcp 10.0.0.7:7233: connection refused")
	outcomeUnknown(t, s, s.post(goodBody), "10.0.0.7")

	s.open(goodOrder(t))
	document[orderDoc](t, s.post(goodBody), http.StatusAccepted)
	s.exec("UPDATE orders SET status = 'REJECTED', reason = 'sold_out', detail = 'mug'")
	problem(t, s.post(goodBody), http.StatusConflict, slugSoldOut)
}

// brokenOrders fails after some reads.
type brokenOrders struct {
	Orders
	err error
}

func (b brokenOrders) Get(context.Context, order.ID) (orderdb.Record, error) {
	return orderdb.Record{}, b.err
}

func (b brokenOrders) GetMany(context.Context, []order.ID) (map[order.ID]orderdb.Record, error) {
	return nil, b.err
}

func (b brokenOrders) List(context.Context, orderdb.Filter) ([]orderdb.Record, error) {
	return nil, b.err
}

func (b brokenOrders) Ping(context.Context) error { return b.err }

// TestDatabaseAway: never a success without the row's word, and nothing of the reason is told.
func TestDatabaseAway(t *testing.T) {
	refused := errors.New("Error 1045 (28000): Access denied for user 'holdfast'@'10.0.0.9'")
	s := newShop(t, func(d *Deps) { d.Orders = brokenOrders{d.Orders, refused} })
	outcomeUnknown(t, s, s.post(goodBody), "10.0.0.9")
	for _, path := range []string{"/v1/orders", "/v1/orders/" + string(goodOrder(t).ID)} {
		w := s.get(path)
		problem(t, w, http.StatusServiceUnavailable, slugUnavailable)
		if strings.Contains(w.Body.String(), "1045") {
			t.Errorf("%s tells of the inside", w.Body)
		}
	}
	if n := len(s.logs.errors()); n != 3 {
		t.Errorf("%d errors were logged, want one for each request", n)
	}
}

// TestHangUp: a client that goes stops the waiting, quietly. The order goes on.
func TestHangUp(t *testing.T) {
	s := newShop(t)
	s.temporal.run, s.temporal.forever = s.open, true
	server := httptest.NewServer(s.api)
	defer server.Close()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	head := "POST /v1/orders HTTP/1.1\r\nHost: x\r\nIdempotency-Key: key-1\r\nPrefer: wait=30\r\nContent-Type: application/json\r\nContent-Length: "
	if _, err := conn.Write([]byte(head + itoa(len(goodBody)) + "\r\n\r\n" + goodBody)); err != nil {
		t.Fatal(err)
	}
	for s.temporal.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	server.Close() // returns once the handler has
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the handler went on for %s", took)
	}
	if log := s.logs.String(); log != "" {
		t.Errorf("logged %s", log)
	}
	if got := metric(t, s, "holdfast_http_requests_total", map[string]string{"status": "499", "route": "/v1/orders", "method": "POST"}); got != 1 {
		t.Errorf("counted %v requests with 499", got)
	}
}

// TestBodyThatStops: a client that stalls or leaves in the middle of its body starts nothing.
func TestBodyThatStops(t *testing.T) {
	s := newShop(t)
	server := httptest.NewUnstartedServer(s.api)
	server.Config.ReadTimeout = 200 * time.Millisecond
	server.Start()
	defer server.Close()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	head := "POST /v1/orders HTTP/1.1\r\nHost: x\r\nIdempotency-Key: key-1\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
	s.unchanged(func() {
		if _, err := conn.Write([]byte(head + goodBody)); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusRequestTimeout || resp.Header.Get("Content-Type") != problemType {
			t.Errorf("answered %s", resp.Status)
		}
	})
}
