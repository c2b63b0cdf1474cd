package app_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/app"
	"holdfast/config"
)

// TestCheckHealthAsksWhereTheProgramServes, in the environment that both have.
func TestCheckHealthAsksWhereTheProgramServes(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("it asks %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	check := func() (code int, said string) {
		var stderr bytes.Buffer
		code = app.CheckHealth(t.Context(), "worker", &stderr, func(c config.Config) string { return c.WorkerAddr })
		return code, stderr.String()
	}
	if code, said := check(); code != 1 || !strings.Contains(said, "HOLDFAST_MYSQL_DSN") {
		t.Errorf("without an environment it exits %d and says %q", code, said)
	}
	t.Setenv("HOLDFAST_SQLITE_PATH", "orders.db")
	t.Setenv("HOLDFAST_REDIS_ADDRS", "redis:6379")
	t.Setenv("HOLDFAST_PAYMENT_URL", "http://payments")
	t.Setenv("HOLDFAST_WORKER_ADDR", server.Listener.Addr().String())
	if code, said := check(); code != 0 || said != "" {
		t.Errorf("of one that is ready it exits %d and says %q", code, said)
	}
	status = http.StatusServiceUnavailable
	if code, said := check(); code != 1 || !strings.Contains(said, "worker: /readyz answers 503") {
		t.Errorf("of one that is not ready it exits %d and says %q", code, said)
	}
}
