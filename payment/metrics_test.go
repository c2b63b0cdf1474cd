package payment_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/payment"
	"holdfast/payment/sandbox"
)

// TestMetricsCountEveryRequest by operation and result.
func TestMetricsCountEveryRequest(t *testing.T) {
	t.Parallel()
	server, registry := newProvider(t, sandbox.Config{}), prometheus.NewRegistry()
	client, err := payment.New(payment.Config{URL: server.URL, Timeout: patience, Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	id := newID(t, "")
	for range 3 {
		_, _ = client.Charge(t.Context(), id, price, sandbox.TokenError)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			key := family.GetName()
			for _, label := range m.GetLabel() {
				key += " " + label.GetValue()
			}
			got[key] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for key, want := range map[string]float64{
		"holdfast_payment_requests_total charge unknown":   2,
		"holdfast_payment_requests_total charge answered":  1,
		"holdfast_payment_request_duration_seconds charge": 3,
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v, among %v", key, got[key], want, got)
		}
	}
}
