package app

import (
	"strings"
	"testing"

	"holdfast/config"
)

// TestAProgramWithoutItsDatabaseSaysSo: it must not die of what it has not opened yet.
func TestAProgramWithoutItsDatabaseSaysSo(t *testing.T) {
	t.Parallel()
	const password = "correct-horse"
	cfg, err := config.LoadFrom(map[string]string{
		"HOLDFAST_MYSQL_DSN": "shop:" + password + "@tcp(127.0.0.1:1)/holdfast", "HOLDFAST_REDIS_ADDRS": "127.0.0.1:1",
		"HOLDFAST_PAYMENT_URL": "http://127.0.0.1:1",
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewAPI(t.Context(), Options{Config: cfg})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), password) {
		t.Errorf("got %v, want what does not answer, and no password", err)
	}
}
