package activities

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/order"
)

// Metrics are the series that the steps own.
type Metrics struct {
	steps    *prometheus.HistogramVec
	orders   *prometheus.CounterVec
	payments *prometheus.CounterVec
}

// NewMetrics registers the series with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "holdfast_step_duration_seconds",
			Help: "Time of one try of a saga step or undo, by step, lane (alone, batch) and result (decided, transient, final, unknown). A batch is one try.",
			// From a Redis script on loopback to a provider that hangs.
			Buckets:                     []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}, []string{"step", "lane", "result"}),
		orders: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_orders_total",
			Help: "Orders that reached a status, by status and reason. An order counts in each status that it goes through.",
		}, []string{"status", "reason"}),
		payments: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_payment_outcomes_total",
			Help: "What tries to charge an order came to, by outcome (approved, declined, pending; unknown: no answer, so that it is tried again; refused: it is not).",
		}, []string{"outcome"}),
	}
	reg.MustRegister(m.steps, m.orders, m.payments)
	// So that increase() sees the first of each.
	for _, outcome := range []string{string(order.Approved), string(order.Declined), string(order.PaymentPending), outcomeUnknown, outcomeRefused} {
		m.payments.WithLabelValues(outcome)
	}
	return m
}

func (m *Metrics) observe(step, lane string, failure *order.Failure, took time.Duration) {
	result := "decided"
	if failure != nil {
		result = string(failure.Class)
	}
	m.steps.WithLabelValues(step, lane, result).Observe(took.Seconds())
}

// count counts the rows that the very call changed, so that a repeat does not count again.
func (m *Metrics) count(rows []order.Row) {
	for _, row := range rows {
		if row.Changed {
			m.orders.WithLabelValues(string(row.Status), string(row.Reason)).Inc()
		}
	}
}

// What a charge came to without an answer that decides it.
const (
	outcomeUnknown = "unknown" // nobody knows
	outcomeRefused = "refused" // it can never be
)

func (m *Metrics) paid(outcomes []order.Outcome[order.Payment]) {
	for _, o := range outcomes {
		outcome := string(o.Answer.Verdict)
		if o.Failure != nil {
			outcome = outcomeUnknown
			if o.Failure.Class == order.Final {
				outcome = outcomeRefused
			}
		}
		m.payments.WithLabelValues(outcome).Inc()
	}
}
