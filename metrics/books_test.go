package metrics_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/metrics"
)

// gauges gives what a registry shows, by name and the value of its only label.
func gauges(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = m.GetGauge().GetValue()
		}
	}
	return values
}

func TestTheBooksAreShownWithTheirAges(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	reads := 0
	attention := int64(2)
	metrics.RegisterBooks(reg, func(context.Context) metrics.Books {
		reads++
		return metrics.Books{
			Readable: map[string]bool{"connection": true}, Units: &metrics.Units{OnHand: 10, Reserved: 3}, Attention: &attention,
			Owed:    map[string]metrics.Owed{"PENDING": {N: 3, Since: time.Now().Add(-time.Hour)}, "REJECTED": {}},
			Untold:  map[string]metrics.Owed{"order": {N: 5, Since: time.Now().Add(-time.Minute)}},
			HandOff: &metrics.HandOff{Oldest: time.Now().Add(-time.Minute), Due: time.Now().Add(time.Hour), Pages: 1, Orders: 7},
		}
	})
	gauges(t, reg)
	got := gauges(t, reg)
	if reads != 1 {
		t.Errorf("read %d times for two scrapes in a row", reads)
	}
	for name, want := range map[string]float64{
		"holdfast_books_readable connection": 1, "holdfast_orders_needing_attention": 2,
		"holdfast_stock_units on_hand": 10, "holdfast_stock_units reserved": 3, "holdfast_stock_units available": 7,
		"holdfast_orders_unsettled PENDING": 3, "holdfast_orders_unsettled REJECTED": 0,
		"holdfast_orders_unsettled_oldest_seconds PENDING": 3600, "holdfast_orders_unsettled_oldest_seconds REJECTED": 0,
		"holdfast_events_waiting order": 5, "holdfast_events_waiting_oldest_seconds order": 60,
		"holdfast_handoff_oldest_order_seconds": 60, "holdfast_handoff_overdue_seconds": 0, // due in an hour
		"holdfast_handoff_undelivered_pages": 1, "holdfast_handoff_undelivered_orders": 7,
	} {
		if value, shown := got[name]; !shown || value < want || value > want+5 {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("shown as well: %v", got)
	}
}

// TestWhatCannotBeReadIsNotShown, and the rest is.
func TestWhatCannotBeReadIsNotShown(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	metrics.RegisterBooks(reg, func(context.Context) metrics.Books {
		return metrics.Books{Readable: map[string]bool{"units": true, "owed": false}, Units: &metrics.Units{OnHand: 5}}
	})
	got := gauges(t, reg)
	if owed, shown := got["holdfast_books_readable owed"]; len(got) != 5 || !shown || owed != 0 ||
		got["holdfast_books_readable units"] != 1 || got["holdfast_stock_units available"] != 5 {
		t.Errorf("shown are %v", got)
	}
}
