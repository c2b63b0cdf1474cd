// Package metrics makes the registry that each package registers its own series with, and bridges the
// Temporal SDK's metrics into it. App and programs import it; nothing is registered globally.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// NewRegistry makes a registry with the series of the Go runtime and the process.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return reg
}

// Handler answers scrapes of the registry.
func Handler(reg *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{Registry: reg})
}

// Temporal makes the handler that puts the Temporal SDK's metrics into the registry. The returned
// function lets go of what the bridge holds.
func Temporal(reg prometheus.Registerer, log *slog.Logger) (client.MetricsHandler, func(context.Context) error, error) {
	reader, err := exporter.New(exporter.WithRegisterer(reg), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	if err != nil {
		return nil, nil, err
	}
	// The SDK measures in seconds; OpenTelemetry's default buckets are meant for milliseconds and
	// would put everything into the first one.
	seconds := metric.NewView(
		metric.Instrument{Kind: metric.InstrumentKindHistogram},
		metric.Stream{Aggregation: metric.AggregationExplicitBucketHistogram{
			Boundaries: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}},
	)
	provider := metric.NewMeterProvider(metric.WithReader(reader), metric.WithView(seconds))
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter:                provider.Meter("temporal-sdk-go"),
		UseMonotonicCounters: true,
		OnError:              func(err error) { log.Error("Temporal SDK metric", "error", err) },
	}), provider.Shutdown, nil
}

// Books are what the order database says of all SKUs and orders together.
type Books struct {
	OnHand, Reserved int64 // units
	Attention        int64 // orders that need a person
}

// booksCollector reads the books when it is scraped.
type booksCollector struct {
	read      func(context.Context) (Books, error)
	units     *prometheus.Desc
	attention *prometheus.Desc
	up        *prometheus.Desc
}

// scrapeBudget bounds how long a scrape waits for the order database.
const scrapeBudget = 2 * time.Second

// RegisterBooks registers gauges of the books, read at each scrape. While they cannot be read, the gauges are absent and
// holdfast_stock_readable is 0.
func RegisterBooks(reg prometheus.Registerer, read func(context.Context) (Books, error)) {
	reg.MustRegister(&booksCollector{
		read:      read,
		units:     prometheus.NewDesc("holdfast_stock_units", "Units of all SKUs in the order database, by state.", []string{"state"}, nil),
		attention: prometheus.NewDesc("holdfast_orders_needing_attention", "Orders that need a person.", nil, nil),
		up:        prometheus.NewDesc("holdfast_stock_readable", "1 if the order database answered this scrape.", nil, nil),
	})
}

// Describe implements prometheus.Collector.
func (c *booksCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.units
	ch <- c.attention
	ch <- c.up
}

// Collect implements prometheus.Collector.
func (c *booksCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeBudget)
	defer cancel()
	books, err := c.read(ctx)
	if err != nil {
		ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, 0)
		return
	}
	ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, 1)
	ch <- prometheus.MustNewConstMetric(c.attention, prometheus.GaugeValue, float64(books.Attention))
	for state, n := range map[string]int64{
		"on_hand": books.OnHand, "reserved": books.Reserved, "available": books.OnHand - books.Reserved,
	} {
		ch <- prometheus.MustNewConstMetric(c.units, prometheus.GaugeValue, float64(n), state)
	}
}
