package e2e_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// gate stands before the payment provider, and keeps all requests or all answers until it is opened, but for reversals. What
// it keeps goes on whether or not its sender still waits.
type gate struct {
	url      string
	acted    bool          // it keeps the answers
	charging chan struct{} // closed when it keeps the first charge
	answered chan struct{} // closed when that is over
	opened   chan struct{}
	unlock   func()
	first    sync.Once
}

func closeGate(t *testing.T, provider string, acted bool) *gate {
	t.Helper()
	target, err := url.Parse(provider)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{acted: acted, charging: make(chan struct{}), answered: make(chan struct{}), opened: make(chan struct{})}
	g.unlock = sync.OnceFunc(func() { close(g.opened) })
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.pass(proxy, w, r) }))
	g.url = server.URL
	t.Cleanup(func() {
		g.unlock()
		server.Close()
	})
	return g
}

func (g *gate) pass(proxy http.Handler, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it has not come whole
	}
	request := r.WithContext(context.WithoutCancel(r.Context()))
	request.Body = io.NopCloser(bytes.NewReader(body))
	first := false
	if r.URL.Path == "/v1/charges" {
		g.first.Do(func() { first = true })
	}
	answer := httptest.NewRecorder()
	if g.acted {
		proxy.ServeHTTP(answer, request)
	}
	if first {
		close(g.charging)
		defer close(g.answered)
	}
	if r.URL.Path != "/v1/reversals" {
		<-g.opened
	}
	if !g.acted {
		proxy.ServeHTTP(answer, request)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the sender may be gone
}

// untilCharging waits until it keeps a charge.
func (g *gate) untilCharging(t *testing.T) {
	t.Helper()
	within(t, g.charging, "no charge has come to the gate")
}

// open lets everything through, and returns once the charge that was kept has been answered.
func (g *gate) open(t *testing.T) {
	t.Helper()
	g.unlock()
	within(t, g.answered, "the charge that was kept is not answered")
}

func within(t *testing.T, done <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal(otherwise)
	}
}
