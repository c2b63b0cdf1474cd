package payment

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/order"
)

// operation is one thing that the provider is asked for.
type operation struct {
	name  string // the label in metrics
	verb  string // in errors
	reads bool   // it moves no money, and its failures are all Unknown
}

var (
	opCharge  = operation{name: "charge", verb: "charge"}
	opReverse = operation{name: "reverse", verb: "reverse"}
	opLookUp  = operation{name: "look_up", verb: "look up", reads: true}
	opNet     = operation{name: "net", verb: "net of", reads: true}
	opLedger  = operation{name: "ledger", verb: "ledger", reads: true}
)

// metrics are the series that the client owns.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer, down func() bool) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_payment_requests_total",
			Help: "Requests to the payment provider, by operation and result (answered, transient, final, unknown). A decline is an answer.",
		}, []string{"operation", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "holdfast_payment_request_duration_seconds",
			Help: "Time of a request to the payment provider, by operation.",
			// From a sandbox on loopback to a provider that hangs.
			Buckets:                     []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}, []string{"operation"}),
	}
	reg.MustRegister(m.requests, m.duration, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_payment_provider_down",
		Help: "1 while the payment provider is taken to be down and hardly asked, otherwise 0.",
	}, func() float64 {
		if down() {
			return 1
		}
		return 0
	}))
	return m
}

func (m *metrics) observe(op operation, failure *order.Failure, took time.Duration) {
	result := "answered"
	if failure != nil {
		result = string(failure.Class)
	}
	m.requests.WithLabelValues(op.name, result).Inc()
	m.duration.WithLabelValues(op.name).Observe(took.Seconds())
}
