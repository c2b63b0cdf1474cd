package healthcheck_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/internal/healthcheck"
)

func TestAsk(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "MySQL does not answer")
	}))
	t.Cleanup(server.Close)
	addr := server.Listener.Addr().String()
	_, port, _ := strings.Cut(addr, ":")
	for _, c := range []struct{ name, addr, path, wants string }{
		{"well", addr, "/readyz", ""},
		{"well, and listens on every address", ":" + port, "/readyz", ""},
		{"well, and listens on every IPv4 address", "0.0.0.0:" + port, "/readyz", ""},
		{"not ready", addr, "/other", "503 Service Unavailable: MySQL does not answer"},
		{"nobody listens", "127.0.0.1:1", "/readyz", "connection refused"},
		{"no address", "8080", "/readyz", "missing port"},
	} {
		err := healthcheck.Ask(t.Context(), c.addr, c.path)
		if c.wants == "" && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.wants != "" && (err == nil || !strings.Contains(err.Error(), c.wants)) {
			t.Errorf("%s: %v, and not %s", c.name, err, c.wants)
		}
	}
}
