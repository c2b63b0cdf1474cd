package stock

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/extra/redisprometheus/v9"
	"github.com/redis/go-redis/v9"
)

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

func (m *frontMetrics) register(reg prometheus.Registerer, f *Front) {
	if reg == nil {
		return
	}
	reg.MustRegister(m.unreserved, m.forgotten, m.epochs, m.loads,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "holdfast_stock_degraded",
			Help: "1 while Redis is away and orders go on at the order database's speed, otherwise 0.",
		}, func() float64 {
			if f.Degraded() {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "holdfast_stock_degraded_seconds_total",
			Help: "How long Redis was away, as this program saw it.",
		}, func() float64 { return f.presence.awayFor().Seconds() }),
		evictions{f},
		redisprometheus.NewCollector("holdfast", "redis", f.rdb),
	)
}

// evictions asks Redis how many keys it evicted, when it is scraped. While Redis does not answer, there is no such series. By asking, a
// program without orders notices as well that Redis is back.
type evictions struct{ front *Front }

var evictionsDesc = prometheus.NewDesc("holdfast_redis_evicted_keys_total",
	"Keys that Redis evicted because its memory was full, as Redis itself counts; on a Cluster those of all masters. It begins anew when Redis does.", nil, nil)

// Describe implements prometheus.Collector.
func (e evictions) Describe(ch chan<- *prometheus.Desc) { ch <- evictionsDesc }

// Collect implements prometheus.Collector.
func (e evictions) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if e.front.Ping(ctx) != nil {
		return
	}
	if n, err := e.front.evicted(ctx); err == nil {
		ch <- prometheus.MustNewConstMetric(evictionsDesc, prometheus.CounterValue, n)
	}
}

// evicted gives the keys that Redis evicted since it started.
func (f *Front) evicted(ctx context.Context) (total float64, err error) {
	var mu sync.Mutex
	ask := func(ctx context.Context, server *redis.Client) error {
		info, err := server.Info(ctx, "stats").Result()
		if err != nil {
			return err
		}
		n, err := strconv.ParseFloat(infoOf(info)["evicted_keys"], 64)
		mu.Lock()
		defer mu.Unlock()
		total += n
		return err
	}
	switch rdb := f.rdb.(type) {
	case *redis.ClusterClient:
		err = rdb.ForEachMaster(ctx, ask)
	case *redis.Client:
		err = ask(ctx, rdb)
	}
	return total, err
}
