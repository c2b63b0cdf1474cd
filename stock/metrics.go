package stock

import "github.com/prometheus/client_golang/prometheus"

type frontMetrics struct {
	unreserved, forgotten, epochs prometheus.Counter
	loads                         *prometheus.CounterVec
}

func newFrontMetrics() *frontMetrics {
	return &frontMetrics{
		unreserved: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_stock_unreserved_total",
			Help: "Times that an order went on without a reservation because Redis was away.",
		}),
		forgotten: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_stock_forgotten_total",
			Help: "Counts deleted in Redis because the stock changed or a row contradicted them.",
		}),
		epochs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_stock_epochs_total",
			Help: "Times that all counts in Redis lost their trust, because it was away or restarted.",
		}),
		loads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_stock_loads_total",
			Help: "Counts read from the order database for Redis, by result (loaded, stale: the stock changed meanwhile, unknown: there is no such SKU).",
		}, []string{"result"}),
	}
}

func (m *frontMetrics) register(reg prometheus.Registerer, degraded func() bool) {
	if reg == nil {
		return
	}
	reg.MustRegister(m.unreserved, m.forgotten, m.epochs, m.loads, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_stock_degraded",
		Help: "1 while Redis is away and orders go on at the order database's speed, otherwise 0.",
	}, func() float64 {
		if degraded() {
			return 1
		}
		return 0
	}))
}
