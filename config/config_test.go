package config_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"holdfast/config"
)

func complete() map[string]string {
	return map[string]string{
		"HOLDFAST_SQLITE_PATH": "orders.db",
		"HOLDFAST_REDIS_ADDRS": "127.0.0.1:6379,127.0.0.1:6380",
		"HOLDFAST_PAYMENT_URL": "http://127.0.0.1:8090",
	}
}

func TestDefaultsAreComplete(t *testing.T) {
	t.Parallel()
	cfg, err := config.LoadFrom(complete())
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.RedisAddrs) != 2 || cfg.TaskQueue != "holdfast" || cfg.PaymentKeyMemory != 20*time.Hour {
		t.Errorf("unexpected defaults: %+v", cfg)
	}
}

func TestEveryProblemIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.LoadFrom(map[string]string{
		"HOLDFAST_MYSQL_DSN": "u@tcp(h)/d", "HOLDFAST_SQLITE_PATH": "orders.db",
		"HOLDFAST_MYSQL_CONNS": "0", "HOLDFAST_API_ADDR": "8080", "HOLDFAST_PAYMENT_TIMEOUT": "1ms",
		"HOLDFAST_TASK_QUEUE": "", "HOLDFAST_SHUTDOWN_TIMEOUT": "-1s",
		"HOLDFAST_RECONCILE_EVERY": "9s", "HOLDFAST_RECONCILE_GRACE": "0",
		"HOLDFAST_PAYMENT_DEADLINE": "21h", "HOLDFAST_PAYMENT_WEBHOOK_SECRET": "hunter2",
	})
	if err == nil {
		t.Fatal("a wrong configuration was accepted")
	}
	for _, variable := range []string{
		"HOLDFAST_MYSQL_DSN", "HOLDFAST_SQLITE_PATH", "HOLDFAST_MYSQL_CONNS", "HOLDFAST_REDIS_ADDRS", "HOLDFAST_PAYMENT_URL",
		"HOLDFAST_API_ADDR", "HOLDFAST_PAYMENT_TIMEOUT", "HOLDFAST_SHUTDOWN_TIMEOUT",
		"HOLDFAST_RECONCILE_EVERY", "HOLDFAST_RECONCILE_GRACE", "HOLDFAST_PAYMENT_DEADLINE", "HOLDFAST_PAYMENT_WEBHOOK_SECRET",
	} {
		if !strings.Contains(err.Error(), variable) {
			t.Errorf("the error does not name %s: %v", variable, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error quotes a secret: %v", err)
	}
}

func TestEveryUnparsableVariableIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	variables := complete()
	variables["HOLDFAST_MYSQL_CONNS"] = "many"
	variables["HOLDFAST_RESERVATION_TTL"] = "soon"
	_, err := config.LoadFrom(variables)
	if err == nil || !strings.Contains(err.Error(), "MySQLConns") || !strings.Contains(err.Error(), "ReservationTTL") {
		t.Errorf("want both fields named, got %v", err)
	}
}

func TestAWebhookSecretIsOneOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	of := func(bytes int) string { return base64.StdEncoding.EncodeToString(make([]byte, bytes)) }
	for secret, fine := range map[string]bool{
		"": true, "whsec_" + of(24): true, "whsec_" + of(64): true,
		"whsec_": false, "whsec_" + of(23): false, "whsec_" + of(65): false, of(32): false, "whsec_*" + of(32): false,
	} {
		variables := complete()
		variables["HOLDFAST_PAYMENT_WEBHOOK_SECRET"] = secret
		if _, err := config.LoadFrom(variables); (err == nil) != fine {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

func TestTheReconciliationRunsOnAScheduleOrNot(t *testing.T) {
	t.Parallel()
	for value, fine := range map[string]bool{"0": true, "10s": true, "1h": true, "1500ms": false, "10500ms": false, "-10s": false} {
		variables := complete()
		variables["HOLDFAST_RECONCILE_EVERY"] = value
		if _, err := config.LoadFrom(variables); (err == nil) != fine {
			t.Errorf("%s: %v", value, err)
		}
	}
}
