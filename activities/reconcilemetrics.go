package activities

import (
	"github.com/prometheus/client_golang/prometheus"

	"holdfast/order"
)

// ReconcileMetrics are the series that reconciliation owns.
type ReconcileMetrics struct {
	units    *prometheus.GaugeVec
	skus     *prometheus.GaugeVec
	last     prometheus.Gauge
	redriven prometheus.Counter
	healed   prometheus.Counter
	failures prometheus.Counter
}

// NewReconcileMetrics registers the series with reg.
func NewReconcileMetrics(reg prometheus.Registerer) *ReconcileMetrics {
	const newest = " As of the last complete run that this worker ended: of several workers, believe the one with the newest holdfast_reconcile_last_success_timestamp_seconds."
	m := &ReconcileMetrics{
		units: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_stock_drift_units",
			Help: "Units by which counts in Redis were off: over (offered, but not there) or under (there, but withheld)." + newest,
		}, []string{"direction"}),
		skus: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_stock_drifted_skus",
			Help: "SKUs whose count in Redis was off, over or under." + newest,
		}, []string{"direction"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_reconcile_last_success_timestamp_seconds",
			Help: "When this worker last ended a complete reconciliation that was no dry run; 0 if it never did.",
		}),
		redriven: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_orders_redriven_total",
			Help: "Unsettled orders whose workflow was gone and was started again.",
		}),
		healed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_stock_counts_healed_total",
			Help: "Counts in Redis that had drifted and were deleted.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_reconcile_failures_total",
			Help: "Orders and counts that a reconciliation could not help. Its result says why.",
		}),
	}
	reg.MustRegister(m.units, m.skus, m.last, m.redriven, m.healed, m.failures)
	return m
}

// count counts what was done between two moments of a run.
func (m *ReconcileMetrics) count(before, after order.Reconciliation) {
	m.redriven.Add(float64(after.Redriven - before.Redriven))
	m.healed.Add(float64(after.Healed - before.Healed))
	m.failures.Add(float64(after.Failures - before.Failures))
}

// note shows what a complete run found.
func (m *ReconcileMetrics) note(found order.Reconciliation) {
	for direction, drift := range map[string]order.Drift{"over": found.Over, "under": found.Under} {
		m.units.WithLabelValues(direction).Set(float64(drift.Units))
		m.skus.WithLabelValues(direction).Set(float64(drift.SKUs))
	}
	m.last.SetToCurrentTime()
}
