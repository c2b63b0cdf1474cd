package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"

	"holdfast/admission"
	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/stock"
	"holdfast/workflows"
)

// shop is an API with an order database, a Redis, and a Temporal that does as it is told.
type shop struct {
	t        testing.TB
	api      *API
	db       *orderdb.DB
	redis    *miniredis.Miniredis
	front    *stock.Front
	temporal *temporal
	auditor  *auditor
	logs     *logs
	registry *prometheus.Registry
	loads    int
}

// in is the shop for a subtest.
func (s *shop) in(t testing.TB) *shop {
	t.Helper()
	sub := *s
	sub.t = t
	return &sub
}

func newShop(t testing.TB, change ...func(*Deps)) *shop {
	t.Helper()
	db, err := orderdb.OpenSQLite(filepath.Join(t.TempDir(), "orders.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Disconnect() })
	if _, _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &shop{
		t: t, db: db, redis: miniredis.RunT(t), temporal: &temporal{}, logs: &logs{},
		auditor: &auditor{}, registry: prometheus.NewRegistry(),
	}
	s.front = stock.New(&redis.UniversalOptions{Addrs: []string{s.redis.Addr()}}, db,
		stock.Config{ReservationTTL: time.Minute, IdleTTL: time.Minute})
	t.Cleanup(func() { _ = s.front.Close() })
	s.temporal.run = s.confirm
	deps := Deps{
		Orders: db, Stock: db, Front: s.front, Temporal: s.temporal, Auditor: s.auditor, TaskQueue: "queue",
		Limits:  admission.Limits{InFlight: 16, Queue: 1000, CustomerQueue: 1000, Patient: 1000},
		Metrics: promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}), Registerer: s.registry,
		Log: slog.New(slog.NewJSONHandler(s.logs, nil)),
	}
	for _, c := range change {
		c(&deps)
	}
	if s.api, err = New(deps); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.api.Close)
	for _, sku := range []string{"mug", "pen"} {
		if _, _, err := db.SetStock(t.Context(), sku, orderdb.Setting{OnHand: 100}, 0); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// request is a request with the headers that a good client sends.
type request struct {
	method, path, body string
	header             map[string]string // "" takes a header away
}

func (s *shop) send(r request) *httptest.ResponseRecorder {
	s.t.Helper()
	req := httptest.NewRequestWithContext(s.t.Context(), r.method, r.path, strings.NewReader(r.body))
	if r.method == http.MethodPost || r.method == http.MethodPut {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.path == "/v1/orders" && r.method == http.MethodPost {
		req.Header.Set("Idempotency-Key", "key-1")
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, req)
	return w
}

func (s *shop) get(path string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.send(request{method: http.MethodGet, path: path})
}

func (s *shop) post(body string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.send(request{method: http.MethodPost, path: "/v1/orders", body: body})
}

const goodBody = `{"customer_id":"c-1","currency":"EUR","payment_method":"tok_ok","lines":[{"sku":"mug","quantity":2,"unit_price":300}]}`

// goodOrder is the order of goodBody under "key-1".
func goodOrder(t *testing.T) order.Order {
	t.Helper()
	return orderFor(t, "key-1")
}

func orderFor(t *testing.T, key string) order.Order {
	t.Helper()
	o, err := order.New("c-1", key, "EUR", "tok_ok", []order.Line{{SKU: "mug", Quantity: 2, UnitPrice: 300}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// document decodes an answer strictly.
func document[T any](t testing.TB, w *httptest.ResponseRecorder, status int) T {
	t.Helper()
	if w.Code != status {
		t.Fatalf("answered %d %s, want %d", w.Code, w.Body, status)
	}
	var doc T
	dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return doc
}

// problem checks that the answer is a well-formed problem with the slug, and returns it.
func problem(t *testing.T, w *httptest.ResponseRecorder, status int, want slug) Problem {
	t.Helper()
	p := document[Problem](t, w, status)
	if p.Type != "/problems/"+string(want) || p.Status != status || p.Title == "" || p.Detail == "" {
		t.Errorf("the problem is %s, want %q with a title and a detail", w.Body, want)
	}
	if ct := w.Header().Get("Content-Type"); ct != problemType {
		t.Errorf("the Content-Type is %q", ct)
	}
	return p
}

// unchanged calls do and checks that it neither wrote anything nor started a workflow.
func (s *shop) unchanged(do func()) {
	s.t.Helper()
	before, started := s.snapshot(), s.temporal.count()
	do()
	if after := s.snapshot(); after != before {
		s.t.Errorf("the order database changed from %s to %s", before, after)
	}
	if now := s.temporal.count(); now != started {
		s.t.Errorf("%d workflows were started", now-started)
	}
}

// snapshot is all that the order database holds of orders and stock.
func (s *shop) snapshot() string {
	s.t.Helper()
	stocks, err := s.db.ListStock(s.t.Context(), "", 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	orders, err := s.db.List(s.t.Context(), orderdb.Filter{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	balances, err := s.db.Balances(s.t.Context(), "", 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := json.Marshal([]any{stocks, orders, balances})
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// What a workflow may do to an order's row.

func (s *shop) open(o order.Order) {
	_, err := s.db.Open(context.Background(), []order.Opening{{Order: o, WorkflowID: workflows.WorkflowID(o.ID)}})
	s.must(err)
}

func (s *shop) confirm(o order.Order) {
	s.open(o)
	_, err := s.db.Commit(context.Background(), []order.Key{o.Key()})
	s.must(err)
}

func (s *shop) closing(status order.Status, reason order.Reason, detail string) func(order.Order) {
	return func(o order.Order) {
		s.open(o)
		_, err := s.db.Close(context.Background(), []order.Closing{{Order: o, Status: status, Reason: reason, Detail: detail}})
		s.must(err)
	}
}

func (s *shop) must(err error) {
	if err != nil {
		s.t.Error(err)
	}
}

func (s *shop) exec(query string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Pool().ExecContext(s.t.Context(), query, args...); err != nil {
		s.t.Fatal(err)
	}
}
