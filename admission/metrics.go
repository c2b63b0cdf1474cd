package admission

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the series that the admission owns.
type Metrics struct {
	registerer prometheus.Registerer
	sizes      prometheus.Histogram
	turnedAway *prometheus.CounterVec
}

// NewMetrics registers the series with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		registerer: reg,
		sizes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "holdfast_admission_batch_size",
			Help:                        "Orders that went together; 1 is an order that went alone.",
			Buckets:                     []float64{1, 2, 5, 10, 20, 50, 100, 150, 200},
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}),
		turnedAway: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_admission_turned_away_total",
			Help: "Orders for which nothing was started, by reason (sold_out, limit_exceeded, full, customer, key_reused, draining).",
		}, []string{"reason"}),
	}
	reg.MustRegister(m.sizes, m.turnedAway)
	return m
}

func (m *Metrics) observe(a *Admission) {
	gauge := func(name, help string, value func() float64) {
		m.registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	locked := func(value func() int) func() float64 {
		return func() float64 {
			a.mu.Lock()
			defer a.mu.Unlock()
			return float64(value())
		}
	}
	gauge("holdfast_admission_queue", "Orders that wait for the next batch.", locked(func() int { return a.waiting }))
	gauge("holdfast_admission_in_flight", "Workflows that were started and have not ended, patient ones left out.", locked(func() int { return a.inFlight }))
	gauge("holdfast_admission_patient", "Orders that are unsettled for longer than usual, as far as they are counted.", func() float64 { return float64(a.patient.all()) })
}

func (m *Metrics) batch(orders int) { m.sizes.Observe(float64(orders)) }

func (m *Metrics) refused(err error) {
	reason := "full"
	switch {
	case errors.Is(err, ErrCustomerFull):
		reason = "customer"
	case errors.Is(err, ErrDraining):
		reason = "draining"
	case errors.Is(err, ErrKeyReused):
		reason = "key_reused"
	}
	m.turnedAway.WithLabelValues(reason).Inc()
}
