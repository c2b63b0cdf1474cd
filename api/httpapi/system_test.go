package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/audit"
	"holdfast/order"
	"holdfast/orderdb"
)

// metric adds up the samples of a counter or histogram that have the labels.
func metric(t *testing.T, s *shop, name string, labels map[string]string) (sum float64) {
	t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			has := make(map[string]string)
			for _, l := range m.GetLabel() {
				has[l.GetName()] = l.GetValue()
			}
			matches := true
			for k, v := range labels {
				matches = matches && has[k] == v
			}
			if matches {
				sum += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// TestMetrics: routes are patterns, and nothing that a client makes up becomes a label.
func TestMetrics(t *testing.T) {
	s := newShop(t)
	s.post(goodBody)
	for _, sku := range []string{"mug", "pen", "cup"} {
		s.get("/v1/stock/" + sku)
	}
	for _, path := range []string{"/a", "/b", "/v1/orders/x/y"} {
		s.get(path)
	}
	s.send(request{method: "BREW", path: "/v1/orders"})
	s.send(request{method: http.MethodDelete, path: "/v1/orders"})
	for _, test := range []struct {
		labels map[string]string
		want   float64
	}{
		{map[string]string{"route": "/v1/orders", "method": "POST", "status": "201"}, 1},
		{map[string]string{"route": "/v1/stock/{sku}", "status": "200"}, 2},
		{map[string]string{"route": "/v1/stock/{sku}", "status": "404"}, 1},
		{map[string]string{"route": "none", "status": "404"}, 3},
		{map[string]string{"route": "none", "status": "405", "method": "OTHER"}, 1},
		{map[string]string{"route": "none", "status": "405", "method": "DELETE"}, 1},
		{nil, 9},
	} {
		if got := metric(t, s, "holdfast_http_requests_total", test.labels); got != test.want {
			t.Errorf("%v counts %v, want %v", test.labels, got, test.want)
		}
	}
	if got := metric(t, s, "holdfast_http_request_duration_seconds", map[string]string{"route": "/v1/stock/{sku}"}); got != 3 {
		t.Errorf("%v durations of /v1/stock/{sku}, want 3", got)
	}
	w := s.get("/metrics")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "holdfast_http_requests_total") {
		t.Errorf("/metrics answers %d %.200s", w.Code, w.Body)
	}
}

type panicking struct{ Orders }

func (panicking) Get(context.Context, order.ID) (orderdb.Record, error) { panic("dial 10.0.0.3") }

// TestPanic: a handler that panics answers a problem, and the stack is logged.
func TestPanic(t *testing.T) {
	s := newShop(t, func(d *Deps) { d.Orders = panicking{d.Orders} })
	w := s.get("/v1/orders/" + string(goodOrder(t).ID))
	problem(t, w, http.StatusInternalServerError, slugInternal)
	if strings.Contains(w.Body.String(), "10.0.0.3") {
		t.Errorf("%s tells of the inside", w.Body)
	}
	if errs := s.logs.errors(); len(errs) != 1 || !strings.Contains(errs[0], "10.0.0.3") || !strings.Contains(errs[0], "system_test.go") {
		t.Errorf("logged %q", errs)
	}
	if got := metric(t, s, "holdfast_http_requests_total", map[string]string{"status": "500"}); got != 1 {
		t.Errorf("counted %v", got)
	}
}

// TestRequestID: a good one is kept, a bad one is replaced, and a missing one is made.
func TestRequestID(t *testing.T) {
	s := newShop(t)
	for given, kept := range map[string]bool{
		"abc-1": true, strings.Repeat("x", 128): true, strings.Repeat("x", 129): false, "a b": false, "ä": false, "": false,
	} {
		w := s.send(request{method: http.MethodGet, path: "/healthz", header: map[string]string{"X-Request-Id": given}})
		got := w.Header().Get(requestIDHeader)
		if (got == given) != kept || got == "" {
			t.Errorf("%q became %q", given, got)
		}
	}
}

// TestHealth: without Redis orders go on, without the rest they do not.
func TestHealth(t *testing.T) {
	type health struct {
		Status  string   `json:"status"`
		Failing []string `json:"failing"`
	}
	s := newShop(t)
	if got := document[health](t, s.get("/readyz"), http.StatusOK); got.Status != "ok" || got.Failing == nil || len(got.Failing) != 0 {
		t.Errorf("ready is %+v", got)
	}
	s.redis.SetError("LOADING 10.0.0.4")
	if got := document[health](t, s.get("/readyz"), http.StatusOK); got.Status != "degraded" || !slices.Equal(got.Failing, []string{"redis"}) {
		t.Errorf("ready is %+v", got)
	}
	s.temporal.err = errors.New("10.0.0.5 is away")
	w := s.get("/readyz")
	if p := problem(t, w, http.StatusServiceUnavailable, slugUnavailable); !slices.Equal(p.Failing, []string{"redis", "temporal"}) {
		t.Errorf("ready is %+v", p)
	}
	s.redis.SetError("")
	s.temporal.err = nil
	if err := s.db.Disconnect(); err != nil {
		t.Fatal(err)
	}
	w2 := s.get("/readyz")
	if p := problem(t, w2, http.StatusServiceUnavailable, slugUnavailable); !slices.Equal(p.Failing, []string{"mysql"}) {
		t.Errorf("ready is %+v", p)
	}
	if strings.Contains(w.Body.String()+w2.Body.String(), "10.0.0") {
		t.Error("it tells of the inside")
	}
	if got := document[health](t, s.get("/healthz?probe=1"), http.StatusOK); got.Status != "ok" {
		t.Errorf("healthz answers %+v", got)
	}
}

type hanging struct{ Orders }

func (hanging) Ping(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestHealthBounded: a check that hangs fails in time.
func TestHealthBounded(t *testing.T) {
	s := newShop(t, func(d *Deps) { d.Orders = hanging{d.Orders} })
	began := time.Now()
	problem(t, s.get("/readyz"), http.StatusServiceUnavailable, slugUnavailable)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestAudit: a report is 200 whatever it says; an audit that could not look is no report.
func TestAudit(t *testing.T) {
	s := newShop(t)
	s.auditor.report = audit.Report{Holds: false, Violations: []audit.Violation{{Kind: audit.Oversold, Subject: "mug", Message: "m"}}, Notes: []string{}}
	if got := document[audit.Report](t, s.get("/v1/audit"), http.StatusOK); got.Holds || len(got.Violations) != 1 {
		t.Errorf("the report is %+v", got)
	}
	s.auditor.err = &audit.UnreadableError{What: audit.PaymentLedger, Err: errors.New("GET http://10.0.0.6/v1/ledger")}
	w := s.get("/v1/audit")
	if p := problem(t, w, http.StatusServiceUnavailable, slugUnavailable); !strings.Contains(p.Detail, "payment provider's ledger") || strings.Contains(w.Body.String(), "10.0.0.6") {
		t.Errorf("the problem is %+v", p)
	}
	if len(s.logs.errors()) != 1 {
		t.Errorf("logged %s", s.logs)
	}
}

type slowAuditor struct{ running, most atomic.Int32 }

func (a *slowAuditor) Run(context.Context) (audit.Report, error) {
	if n := a.running.Add(1); n > a.most.Load() {
		a.most.Store(n)
	}
	time.Sleep(20 * time.Millisecond)
	a.running.Add(-1)
	return audit.Report{}, nil
}

// TestOneAuditAtATime: each reads everything.
func TestOneAuditAtATime(t *testing.T) {
	slow := &slowAuditor{}
	s := newShop(t, func(d *Deps) { d.Auditor = slow })
	done := make(chan int)
	for range 4 {
		go func() { done <- s.get("/v1/audit").Code }()
	}
	for range 4 {
		if code := <-done; code != http.StatusOK {
			t.Errorf("answered %d", code)
		}
	}
	if n := slow.most.Load(); n != 1 {
		t.Errorf("%d audits ran at once", n)
	}
}

// TestHead: HEAD is answered wherever GET is.
func TestHead(t *testing.T) {
	s := newShop(t)
	if w := s.send(request{method: http.MethodHead, path: "/v1/stock/mug"}); w.Code != http.StatusOK || w.Header().Get("ETag") == "" {
		t.Errorf("answered %d", w.Code)
	}
}

// TestMissingDeps: a forgotten dependency is named when the API is made, not when it is used.
func TestMissingDeps(t *testing.T) {
	_, err := New(Deps{Registerer: prometheus.NewRegistry()})
	if err == nil || !strings.Contains(err.Error(), "Deps.Orders is missing") || strings.Contains(err.Error(), "Registerer") {
		t.Errorf("the error is %v", err)
	}
}
