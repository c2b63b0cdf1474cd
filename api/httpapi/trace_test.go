package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

const callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

func traced(kept *tracetest.InMemoryExporter) func(*Deps) {
	return func(d *Deps) { d.Tracing = sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept)) }
}

// ask sends a request that belongs to the caller's trace, and gives its problem.
func (s *shop) ask(method, path, body string) (p Problem) {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Traceparent", "00-"+callersTrace+"-00f067aa0ba902b7-01")
	r.Header.Set("User-Agent", "tok_ok")
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// TestAProblemTellsItsTrace: whoever makes it, but only of requests that are traced.
func TestAProblemTellsItsTrace(t *testing.T) {
	t.Parallel()
	kept := tracetest.NewInMemoryExporter()
	on, off := newShop(t, traced(kept)), newShop(t)
	for _, c := range []struct {
		method, path, body string
		want               string
		name               string // of the span
	}{
		{http.MethodPost, "/v1/orders", "{", callersTrace, "POST /v1/orders"},
		{http.MethodPost, "/v1/orders?tok_ok=1", "{}", callersTrace, "POST /v1/orders"},
		{http.MethodGet, "/v1/orders?limit=none", "", callersTrace, "GET /v1/orders"},
		{http.MethodGet, "/v1/orders/tok_ok", "", callersTrace, "GET /v1/orders/{id}"},
		{http.MethodDelete, "/v1/orders", "", callersTrace, "DELETE none"},
		{http.MethodGet, "/v1/stock/tok_ok", "", "", ""},
		{http.MethodGet, "/tok_ok", "", "", ""},
	} {
		kept.Reset()
		if p := on.in(t).ask(c.method, c.path, c.body); p.TraceID != c.want {
			t.Errorf("%s %s: trace_id %q, want %q", c.method, c.path, p.TraceID, c.want)
		}
		spans := kept.GetSpans()
		switch {
		case c.name == "" && len(spans) > 0 || c.name != "" && (len(spans) == 0 || spans[len(spans)-1].Name != c.name):
			t.Errorf("%s %s: spans %v, want %q", c.method, c.path, spans, c.name)
		case c.name != "":
			for _, a := range spans[len(spans)-1].Attributes {
				if strings.Contains(a.Value.String(), "tok_ok") {
					t.Errorf("%s %s: the span tells %s=%s", c.method, c.path, a.Key, a.Value.String())
				}
			}
		}
		if p := off.in(t).ask(c.method, c.path, c.body); p.TraceID != "" {
			t.Errorf("%s %s without tracing: trace_id %q", c.method, c.path, p.TraceID)
		}
	}
}

// TestAWebhookAddsToNobodysTrace: anybody may call it, and say any traceparent.
func TestAWebhookAddsToNobodysTrace(t *testing.T) {
	t.Parallel()
	s := newShop(t, traced(tracetest.NewInMemoryExporter()))
	if p := s.ask(http.MethodPost, webhookPath, "{}"); p.TraceID == "" || p.TraceID == callersTrace {
		t.Errorf("trace_id %q, want one of its own", p.TraceID)
	}
}
