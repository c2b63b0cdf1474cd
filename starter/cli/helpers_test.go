package cli

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Documents as the API answers them.
const (
	orderID = "ord_aaaaaaaaaaaaaaaaaaaaaaaaaa"

	confirmedDoc = `{"id":"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa","status":"CONFIRMED","reason":"","detail":"","customer_id":"c-17",` +
		`"currency":"EUR","total":6448,"lines":[{"sku":"hat","quantity":1,"unit_price":2450},{"sku":"mug","quantity":2,"unit_price":1999}],` +
		`"settled":true,"attention":null,"workflow_id":"order/ord_aaaaaaaaaaaaaaaaaaaaaaaaaa",` +
		`"created_at":"2026-11-20T10:00:00Z","updated_at":"2026-11-20T10:00:01Z"}`
	pendingDoc = `{"id":"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa","status":"PENDING","customer_id":"c-17","currency":"EUR","total":3998,` +
		`"lines":[{"sku":"mug","quantity":2,"unit_price":1999}],"settled":false,` +
		`"attention":{"since":"2026-11-20T10:15:00Z","reason":"Charge has had no answer for 15m0s"},` +
		`"workflow_id":"order/ord_aaaaaaaaaaaaaaaaaaaaaaaaaa","created_at":"2026-11-20T10:00:00Z","updated_at":"2026-11-20T10:15:00Z"}`
	declinedDoc = `{"type":"/problems/payment-declined","title":"Payment declined","status":402,` +
		`"detail":"insufficient funds","order_id":"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa"}`
	soldOutDoc = `{"type":"/problems/sold-out","title":"Sold out","status":409,` +
		`"order_id":"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa","skus":["hat","mug"]}`
	soldOutAtTheGateDoc = `{"type":"/problems/sold-out","title":"Sold out","status":409,"skus":["mug"]}`
	limitExceededDoc    = `{"type":"/problems/limit-exceeded","title":"Limit per customer exceeded","status":409,` +
		`"order_id":"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa","skus":["mug"]}`
	limitAtTheGateDoc = `{"type":"/problems/limit-exceeded","title":"Limit per customer exceeded","status":409,"skus":["mug"]}`
	closedDoc         = `{"type":"/problems/order-closed","title":"The order is closed","status":409,` +
		`"detail":"it was cancelled","order_id":"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa"}`
	unknownSKUDoc = `{"type":"/problems/unknown-sku","title":"Unknown SKU","status":409,"skus":["mug"]}`
	keyReusedDoc  = `{"type":"/problems/key-reused","title":"Key reused","status":422,` +
		`"detail":"Idempotency-Key was used for another order, which is left as it is",` +
		`"errors":[{"field":"Idempotency-Key","message":"was used for another order, which is left as it is"}]}`
	invalidDoc = `{"type":"/problems/invalid","title":"Invalid input","status":422,"detail":"nothing was changed",` +
		`"errors":[{"field":"currency","message":"must be an active ISO 4217 code such as EUR"},` +
		`{"field":"lines[0].quantity","message":"must be 1 to 10000"}]}`
	fullDoc        = `{"type":"/problems/full","title":"Too many orders","status":503,"detail":"nothing was started"}`
	unavailableDoc = `{"type":"/problems/unavailable","title":"Unavailable","status":503,"detail":"the outcome is not known"}`
	internalDoc    = `{"type":"/problems/internal","title":"Internal error","status":500}`
	notFoundDoc    = `{"type":"/problems/not-found","title":"Not found","status":404}`
)

// result is what a run of the program left.
type result struct {
	code     int
	out, err string
}

// noConfigFile keeps the developer's own configuration of Temporal out of the tests.
const noConfigFile = "TEMPORAL_CONFIG_FILE=/nonexistent/temporal.toml"

// try is one run of the program.
type try struct {
	api     http.Handler // nil for none
	environ []string
	change  func(*app)
}

// run runs the program with no pauses between repeats.
func (s try) run(t *testing.T, args ...string) result {
	t.Helper()
	return s.runIn(t.Context(), t, args...)
}

// runIn is run in a context that may end before the program.
func (s try) runIn(ctx context.Context, t *testing.T, args ...string) result {
	t.Helper()
	var out, stderr bytes.Buffer
	environ := append([]string{noConfigFile}, s.environ...)
	if s.api != nil {
		server := httptest.NewServer(s.api)
		t.Cleanup(server.Close)
		environ = append([]string{"HOLDFAST_API_URL=" + server.URL}, environ...)
	}
	a := newApp(Env{Environ: environ, Stdout: &out, Stderr: &stderr})
	a.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	if s.change != nil {
		s.change(a)
	}
	return result{code: a.main(ctx, args), out: out.String(), err: stderr.String()}
}

// script is an API that gives its answers one after the other, the last one again and again, and keeps
// what it was asked.
type script struct {
	answers []reply

	mu    sync.Mutex
	asked []ask
}

type reply struct {
	status int
	body   string
	header map[string]string
	drop   bool // close the connection instead
}

type ask struct {
	line   string // method and path with query
	header http.Header
	body   string
}

func answers(a ...reply) *script { return &script{answers: a} }

// ServeHTTP implements http.Handler.
func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asked = append(s.asked, ask{line: r.Method + " " + r.URL.RequestURI(), header: r.Header, body: string(body)})
	answer := s.answers[min(len(s.asked), len(s.answers))-1]
	s.mu.Unlock()
	if answer.drop {
		panic(http.ErrAbortHandler)
	}
	kind := "application/json"
	if answer.status >= 400 {
		kind = "application/problem+json"
	}
	w.Header().Set("Content-Type", kind)
	for name, value := range answer.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(answer.status)
	_, _ = io.WriteString(w, answer.body)
}

func (s *script) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, a := range s.asked {
		lines = append(lines, a.line)
	}
	return lines
}

func (r result) check(t *testing.T, code int, out, stderr string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	same(t, "stdout", r.out, out)
	same(t, "stderr", r.err, stderr)
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n%s\nwant\n%s", what, got, want)
	}
}

func contains(t *testing.T, what, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, got)
		}
	}
}

func lacks(t *testing.T, what, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(got, part) {
			t.Errorf("%s has %q:\n%s", what, part, got)
		}
	}
}

// untilGone holds a request until its client gives up. A server notices that only once the body is read.
func untilGone(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}
