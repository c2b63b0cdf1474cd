package deploy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/child"
	"holdfast/internal/testserver"
)

// startProxy starts nginx on the mounted configuration, with these addresses instead of those that Docker's name server has for
// the apis. It returns its URL.
func startProxy(t *testing.T, apis ...string) string {
	t.Helper()
	text, err := os.ReadFile("proxy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	replace := func(text, directive, with string) string {
		pattern := regexp.MustCompile(directive)
		if n := len(pattern.FindAllString(text, -1)); n != 1 {
			t.Fatalf("nginx.conf has %s %d times", directive, n)
		}
		return pattern.ReplaceAllString(text, with)
	}
	nginx := testserver.Nginx(t, func(addr string) string {
		var servers strings.Builder
		for _, api := range apis {
			fmt.Fprintf(&servers, "server %s $1;", api)
		}
		listening := replace(string(text), `listen 8080 `, "listen "+addr+" ")
		return replace(listening, `server api:8080 resolve (.*);`, servers.String()) // resolve is not for addresses
	})
	return "http://" + nginx.Addr()
}

// api is one behind the proxy.
func api(t *testing.T, handle http.HandlerFunc) (addr string) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// dead is an address on which nobody listens.
func dead(t *testing.T) (addr string) {
	t.Helper()
	addr, err := child.FreeAddr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

type answer struct {
	status int
	header http.Header
	body   string
}

func send(ctx context.Context, t *testing.T, method, url string, header map[string]string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(`{"customer_id": "ada"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func TestAnOrderGoesToAnotherAPIIfOneIsGone(t *testing.T) {
	t.Parallel()
	living := api(t, func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{"Idempotency-Key": "cart-1", "Prefer": "wait=30", "X-Request-ID": "r-1"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s reaches the api as %q", name, got)
			}
		}
		if body, err := io.ReadAll(r.Body); string(body) != `{"customer_id": "ada"}` {
			t.Errorf("the body reaches the api as %q, %v", body, err)
		}
		w.Header().Set("X-Request-ID", r.Header.Get("X-Request-ID"))
		w.Header().Set("X-Host", r.Host)
		w.WriteHeader(http.StatusCreated)
	})
	url := startProxy(t, dead(t), living)
	for range 10 {
		got := send(t.Context(), t, http.MethodPost, url+"/v1/orders", map[string]string{"Idempotency-Key": "cart-1", "Prefer": "wait=30", "X-Request-ID": "r-1"})
		if got.status != http.StatusCreated || got.header.Get("X-Request-ID") != "r-1" || "http://"+got.header.Get("X-Host") != url {
			t.Fatalf("it is answered %+v", got)
		}
	}
}

// TestWhatAnAPIMayHaveHeardIsRepeatedOnlyIfItIsAnOrder, which has a key.
func TestWhatAnAPIMayHaveHeardIsRepeatedOnlyIfItIsAnOrder(t *testing.T) {
	t.Parallel()
	for path, apis := range map[string]int32{"/v1/orders": 2, "/v1/stock/mug/receipts": 1} {
		var heard atomic.Int32
		dies := func(http.ResponseWriter, *http.Request) {
			heard.Add(1)
			panic(http.ErrAbortHandler) // closes the connection
		}
		got := send(t.Context(), t, http.MethodPost, startProxy(t, api(t, dies), api(t, dies))+path, nil)
		if got.status != http.StatusServiceUnavailable || got.header.Get("Content-Type") != "application/problem+json" ||
			got.header.Get("Retry-After") != "1" || !strings.Contains(got.body, `"type":"/problems/unavailable"`) {
			t.Errorf("%s is answered %+v", path, got)
		}
		if n := heard.Load(); n != apis {
			t.Errorf("%s was heard by %d apis, and not by %d", path, n, apis)
		}
	}
}

func TestAnAnswerIsPassedOnAsItIsHoweverLongItTakes(t *testing.T) {
	t.Parallel()
	var asked, connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Prefer") == "wait=6" {
			time.Sleep(6 * time.Second)
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "full")
	}))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		connections.Add(1)
		return ctx
	}
	server.Start()
	t.Cleanup(server.Close)
	addr := server.Listener.Addr().String()
	url := startProxy(t, addr, addr)
	if got := send(t.Context(), t, http.MethodPost, url+"/v1/orders", map[string]string{"Prefer": "wait=6"}); got.status != http.StatusAccepted {
		t.Errorf("after 6 s it is answered %+v", got)
	}
	asked.Store(0)
	for range 20 {
		if got := send(t.Context(), t, http.MethodPost, url+"/v1/orders", nil); got.status != http.StatusServiceUnavailable || got.body != "full" || got.header.Get("Retry-After") != "7" {
			t.Fatalf("it is answered %+v", got)
		}
	}
	if n := asked.Load(); n != 20 {
		t.Errorf("20 orders that an api has refused were heard %d times", n)
	}
	if n := connections.Load(); n > 4 {
		t.Errorf("21 requests needed %d connections to the apis", n)
	}
}

func TestMetricsOfAnAPIAreNotToBeHadThroughTheProxy(t *testing.T) {
	t.Parallel()
	url := startProxy(t, api(t, func(http.ResponseWriter, *http.Request) {}))
	for path, status := range map[string]int{"/metrics": http.StatusNotFound, "/docs": http.StatusOK, "/v1/audit": http.StatusOK} {
		if got := send(t.Context(), t, http.MethodGet, url+path, nil); got.status != status {
			t.Errorf("%s is answered %+v", path, got)
		}
	}
}
