// Package app puts holdfast together: it is the only package that imports everything. Programs, and
// tests that need a whole api or worker in their process, import it.
package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"
	"github.com/robfig/cron/v3"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"holdfast/config"
	"holdfast/metrics"
	"holdfast/orderdb"
	"holdfast/payment"
	"holdfast/stock"
	"holdfast/tracing"
	"holdfast/warehouse"
)

// Options are what a program shares with what runs in it. All are optional but Config.
type Options struct {
	Config config.Config
	// Log takes what is worth knowing; nil drops it.
	Log *slog.Logger
	// Registry takes the metrics; nil makes one. Each api and worker needs its own.
	Registry *prometheus.Registry
	// Temporal is a client to share, which its owner closes. An api and a worker in one process that
	// share one start orders eagerly. Nil dials by TEMPORAL_*.
	Temporal client.Client
	// TracerProvider makes the spans, and belongs to its owner; a client to share needs tracing.Interceptors of it. Nil makes one as
	// OTEL_* say, which may be none.
	TracerProvider trace.TracerProvider
}

// platform is what api and worker stand on.
type platform struct {
	cfg      config.Config
	log      *slog.Logger
	registry *prometheus.Registry
	tracing  trace.TracerProvider // nil if nobody wants spans
	temporal client.Client
	orders   *orderdb.DB
	stock    *stock.Front
	payments *payment.Client
	// warehouse is nil without a URL.
	warehouse *warehouse.Client
	// cutoffs are when orders are handed off; nil if by hand, and in a worker.
	cutoffs cron.Schedule
	closers []func() error // the newest last
	failed  chan error
}

// newPlatform connects to everything. The order database and Temporal must answer; Redis and the
// provider may be down, since orders wait for them.
func newPlatform(ctx context.Context, service string, o Options) (p *platform, err error) {
	p = &platform{
		cfg: o.Config, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), temporal: o.Temporal,
		tracing: o.TracerProvider, registry: cmp.Or(o.Registry, metrics.NewRegistry()), failed: make(chan error, 1),
	}
	opened := p // p is nil by then
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.close())
		}
	}()
	if err := p.openTracing(ctx, service); err != nil {
		return nil, err
	}
	if err := p.openOrders(ctx); err != nil {
		return nil, err
	}
	counts, err := p.openDB(countsConns)
	if err != nil {
		return nil, err
	}
	p.stock = stock.New(redisOptions(p.cfg), counts, stock.Config{
		ReservationTTL: p.cfg.ReservationTTL, IdleTTL: p.cfg.StockIdleTTL, Registerer: p.registry, Hook: p.redisHook(),
	})
	p.closers = append(p.closers, p.stock.Close)
	p.warnOfMemoryPolicy(ctx)
	p.payments, err = payment.New(payment.Config{
		URL: p.cfg.PaymentURL, Timeout: p.cfg.PaymentTimeout, Concurrency: p.cfg.PaymentConcurrency, Registerer: p.registry,
		Wrap: p.transport("payment"),
	})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() error { p.payments.Close(); return nil })
	if p.cfg.WarehouseURL != "" {
		if p.warehouse, err = warehouse.New(warehouse.Config{URL: p.cfg.WarehouseURL, Timeout: p.cfg.WarehouseTimeout, Wrap: p.transport("warehouse")}); err != nil {
			return nil, err
		}
		p.closers = append(p.closers, func() error { p.warehouse.Close(); return nil })
	}
	if p.temporal == nil {
		err = p.dialTemporal(ctx)
	}
	return p, err
}

func (p *platform) openOrders(ctx context.Context) (err error) {
	if p.orders, err = p.openDB(p.cfg.MySQLConns); err != nil {
		return err
	}
	if err := p.orders.CheckVersion(ctx); err != nil {
		return err
	}
	p.registry.MustRegister(collectors.NewDBStatsCollector(p.orders.Pool(), "orders"))
	return nil
}

// countsConns are the connections of a program that the stock front reads rows through: a count that is not loaded must
// not queue behind the orders that wait for it.
const countsConns = 2

func (p *platform) openDB(conns int) (db *orderdb.DB, err error) {
	if p.cfg.SQLitePath != "" {
		db, err = orderdb.OpenSQLite(p.cfg.SQLitePath, p.pool("sqlite")...)
	} else {
		db, err = orderdb.OpenMySQL(p.cfg.MySQLDSN, conns, p.pool("mysql")...)
	}
	if err == nil {
		p.closers = append(p.closers, db.Disconnect)
		if p.publishes() {
			db.OweEvents()
		}
	}
	return db, err
}

// publishes tells whether others are told of what happens.
func (p *platform) publishes() bool { return len(p.cfg.KafkaBrokers) > 0 }

// warnOfMemoryPolicy says at the start what would only be felt when Redis is full. A Redis that does not answer is
// noticed elsewhere.
func (p *platform) warnOfMemoryPolicy(ctx context.Context) {
	if warning, err := p.stock.MemoryPolicyWarning(ctx); err == nil && warning != "" {
		p.log.WarnContext(ctx, "Redis is set up in a way that will cost speed", "warning", warning)
	}
}

func redisOptions(cfg config.Config) *redis.UniversalOptions {
	options := &redis.UniversalOptions{
		Addrs: cfg.RedisAddrs, MasterName: cfg.RedisMaster, Username: cfg.RedisUsername, Password: cfg.RedisPassword,
	}
	if cfg.RedisTLS {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return options
}

func (p *platform) dialTemporal(ctx context.Context) error {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if options.Interceptors, err = tracing.Interceptors(p.tracing); err != nil {
		return err
	}
	temporal, hangUp, err := DialTemporal(ctx, options, p.registry, p.log)
	if err != nil {
		return err
	}
	p.temporal = temporal
	p.closers = append(p.closers, hangUp)
	return nil
}

// dialTimeout bounds how long a program waits at its start for Temporal.
const dialTimeout = 10 * time.Second

// DialTemporal connects a client that logs to log and measures into reg. The returned function closes
// it.
func DialTemporal(ctx context.Context, options client.Options, reg prometheus.Registerer, log *slog.Logger) (client.Client, func() error, error) {
	handler, shutdown, err := metrics.Temporal(reg, log)
	if err != nil {
		return nil, nil, fmt.Errorf("bridge Temporal's metrics: %w", err)
	}
	options.Logger = tracing.TemporalLogger(log)
	options.MetricsHandler = handler
	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	temporal, err := client.DialContext(dialCtx, options)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to Temporal at %s: %w", cmp.Or(options.HostPort, client.DefaultHostPort), err)
	}
	return temporal, func() error {
		temporal.Close()
		return shutdown(context.WithoutCancel(ctx))
	}, nil
}

// Failed implements Program.
func (p *platform) Failed() <-chan error { return p.failed }

// fail keeps the first reason why the program cannot go on.
func (p *platform) fail(err error) {
	select {
	case p.failed <- err:
	default:
	}
}

// close gives up what was opened, the newest first.
func (p *platform) close() error {
	var errs []error
	for _, closer := range slices.Backward(p.closers) {
		errs = append(errs, closer())
	}
	p.closers = nil
	return errors.Join(errs...)
}
