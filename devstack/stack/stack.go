// Package stack runs all of holdfast and all that it needs in one process: a Temporal server with its
// Web UI, Redis, an order database, the sandbox payment provider and warehouse, api and worker. Each server can be a
// real one instead. Only the programs and tests of the devstack module import it.
package stack

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"

	"holdfast/app"
	"holdfast/config"
	"holdfast/devstack/temporalserver"
	"holdfast/metrics"
	"holdfast/orderdb"
	"holdfast/payment/sandbox"
	"holdfast/tracing"
	warehousesandbox "holdfast/warehouse/sandbox"
	"holdfast/workflows"
)

// Namespace is the Temporal namespace of the embedded stack.
const Namespace = "default"

// Config says where the stack listens and which servers are real ones. All addresses are HOST:PORT;
// port 0 takes a free one.
type Config struct {
	Data     string // the directory that keeps all state; made if absent
	API      string
	Temporal string
	UI       string
	Gateway  string
	// Warehouse is where the sandbox warehouse listens; empty takes a free port of loopback.
	Warehouse string
	// Kafka is where a broker listens; empty runs none, and nobody is told of anything.
	Kafka string
	// Redis, MySQL (a DSN) and TemporalAddress are real servers to use; empty runs embedded ones.
	Redis           string
	MySQL           string
	TemporalAddress string
	// InfraOnly leaves api and worker to be started as processes of their own; Env tells them how.
	InfraOnly bool
	// AsyncDelay is how long the sandbox provider leaves a payment pending. 0 is its own default.
	AsyncDelay time.Duration
	// Settings are further variables of api and worker, HOLDFAST_*; they come before the stack's own.
	Settings map[string]string
	// Log takes what is worth knowing; nil drops it.
	Log *slog.Logger
	// TracerProvider makes the spans of api and worker. Nil makes one as OTEL_* say, which may be none.
	TracerProvider trace.TracerProvider
}

// Stack is a stack that runs.
type Stack struct {
	cfg      Config
	log      *slog.Logger
	temporal *temporalserver.Server // nil if a real one is used
	redis    *redisServer           // nil if a real one is used
	gateway  *sandbox.Server
	store    *warehousesandbox.Server
	kafka    *kfake.Cluster // nil without one
	secret   string         // signs the gateway's webhooks
	api      *app.API       // nil with InfraOnly
	worker   *app.Worker    // nil with InfraOnly
	closers  []func() error
	stopped  chan struct{} // closed by the first Stop
}

// Start starts everything and returns once the API answers. The error of a port in use names the port
// and the flag.
func Start(ctx context.Context, cfg Config) (s *Stack, err error) {
	s = &Stack{cfg: cfg, log: cfg.Log, stopped: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if err := cfg.portsFree(ctx); err != nil {
		return s, err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return s, fmt.Errorf("make the data directory: %w", err)
	}
	for _, start := range []func(context.Context) error{
		s.startTemporal, s.startRedis, s.migrate, s.startGateway, s.startWarehouse, s.startKafka, s.startPrograms,
	} {
		if err := start(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *Stack) startTemporal(ctx context.Context) (err error) {
	if s.cfg.TemporalAddress != "" {
		return nil
	}
	s.temporal, err = temporalserver.Start(ctx, temporalserver.Config{
		Dir: s.cfg.Data, Frontend: s.cfg.Temporal, UI: s.cfg.UI, Namespace: Namespace,
		SearchAttributes: workflows.SearchAttributes(), Logger: s.log.With("program", "temporal"),
	})
	if err != nil {
		return fmt.Errorf("start Temporal: %w", err)
	}
	s.closers = append(s.closers, func() error { s.temporal.Stop(); return nil }) //nolint:contextcheck // it stops however its start ended
	return nil
}

func (s *Stack) startRedis(context.Context) (err error) {
	if s.cfg.Redis != "" {
		return nil
	}
	if s.redis, err = startRedis(); err != nil {
		return fmt.Errorf("start Redis: %w", err)
	}
	s.closers = append(s.closers, s.redis.stop)
	return nil
}

// migrate is what an operator does for a real database with `starter migrate`.
func (s *Stack) migrate(ctx context.Context) (err error) {
	var db *orderdb.DB
	if s.cfg.MySQL != "" {
		db, err = orderdb.OpenMySQL(s.cfg.MySQL, 2)
	} else {
		db, err = orderdb.OpenSQLite(s.sqlitePath())
	}
	if err != nil {
		return err
	}
	_, _, err = db.Migrate(ctx)
	return errors.Join(err, db.Disconnect())
}

func (s *Stack) sqlitePath() string { return filepath.Join(s.cfg.Data, "orders.db") }

// JournalPath is the file in which the sandbox provider writes each decision down, also while it answers nobody.
func (s *Stack) JournalPath() string { return filepath.Join(s.cfg.Data, "ledger.jsonl") }

func (s *Stack) startGateway(ctx context.Context) error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	s.secret = "whsec_" + base64.StdEncoding.EncodeToString(key)
	s.gateway = sandbox.New(sandbox.Config{
		Addr: s.cfg.Gateway, Journal: s.JournalPath(), Logger: s.log.With("program", "gateway"),
		AsyncDelay: s.cfg.AsyncDelay, WebhookSecret: s.secret,
	})
	if err := s.gateway.Start(ctx); err != nil {
		return fmt.Errorf("start the sandbox payment provider: %w", err)
	}
	s.closers = append(s.closers, func() error { return s.gateway.Stop(context.WithoutCancel(ctx)) })
	return nil
}

func (s *Stack) startWarehouse(ctx context.Context) error {
	s.store = warehousesandbox.New(warehousesandbox.Config{Addr: cmp.Or(s.cfg.Warehouse, "127.0.0.1:0"), Journal: filepath.Join(s.cfg.Data, "arrivals.jsonl")})
	if err := s.store.Start(ctx); err != nil {
		return fmt.Errorf("start the sandbox warehouse: %w", err)
	}
	s.closers = append(s.closers, func() error { return s.store.Stop(context.WithoutCancel(ctx)) })
	return nil
}

// startPrograms starts api and worker on one Temporal client, so that orders start eagerly.
func (s *Stack) startPrograms(ctx context.Context) error {
	if s.cfg.InfraOnly {
		if s.cfg.API == "" {
			return nil // nobody knows where it will be, and pending payments are polled
		}
		return s.tellAPI(s.cfg.API)
	}
	cfg, err := config.LoadFrom(s.Env())
	if err != nil {
		return err
	}
	if err := s.openTracing(ctx); err != nil {
		return err
	}
	registry := metrics.NewRegistry()
	options := client.Options{HostPort: s.TemporalAddr(), Namespace: Namespace}
	if options.Interceptors, err = tracing.Interceptors(s.cfg.TracerProvider); err != nil {
		return err
	}
	temporal, hangUp, err := app.DialTemporal(ctx, options, registry, s.log.With("program", "sdk"))
	if err != nil {
		return err
	}
	s.closers = append(s.closers, hangUp)
	stop := func(program app.Program) func() error {
		return func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
			defer cancel()
			return program.Stop(ctx)
		}
	}
	s.worker, err = app.NewWorker(ctx, app.Options{Config: cfg, Log: s.log.With("program", "worker"), Registry: registry, Temporal: temporal, TracerProvider: s.cfg.TracerProvider})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, stop(s.worker))
	if err := s.worker.Start(ctx); err != nil {
		return err
	}
	s.api, err = app.NewAPI(ctx, app.Options{Config: cfg, Log: s.log.With("program", "api"), Temporal: temporal, TracerProvider: s.cfg.TracerProvider})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, stop(s.api))
	if err := s.api.Start(ctx); err != nil {
		return err
	}
	return s.tellAPI(s.api.Addr())
}

// openTracing makes the one provider of api and worker, since they share a Temporal client, unless one was given.
func (s *Stack) openTracing(ctx context.Context) error {
	if s.cfg.TracerProvider != nil {
		return nil
	}
	provider, err := tracing.FromEnv(ctx, "holdfast", s.log)
	if err != nil || provider == nil {
		return err
	}
	s.cfg.TracerProvider = provider
	s.closers = append(s.closers, provider.Stop)
	return nil
}

// tellAPI sends the gateway's webhooks to the API, whose address may not be known before it has started.
func (s *Stack) tellAPI(addr string) error {
	return s.gateway.SetWebhookURL("http://" + addr + "/v1/payments/webhook")
}

// Env is the environment in which api, worker and starter find this stack.
func (s *Stack) Env() map[string]string {
	env := map[string]string{
		"TEMPORAL_ADDRESS":                s.TemporalAddr(),
		"TEMPORAL_NAMESPACE":              Namespace,
		"HOLDFAST_API_ADDR":               s.cfg.API,
		"HOLDFAST_WORKER_ADDR":            "127.0.0.1:0",
		"HOLDFAST_REDIS_ADDRS":            s.RedisAddr(),
		"HOLDFAST_PAYMENT_URL":            s.gateway.URL(),
		"HOLDFAST_PAYMENT_WEBHOOK_SECRET": s.secret,
		"HOLDFAST_WAREHOUSE_URL":          s.store.URL(),
		"HOLDFAST_SHUTDOWN_TIMEOUT":       "5s", // Ctrl-C of a developer's stack is answered within seconds
		"HOLDFAST_LOG_LEVEL":              "WARN",
	}
	if s.cfg.MySQL != "" {
		env["HOLDFAST_MYSQL_DSN"] = s.cfg.MySQL
	} else {
		env["HOLDFAST_SQLITE_PATH"] = s.sqlitePath()
	}
	if s.kafka != nil {
		env["HOLDFAST_KAFKA_BROKERS"], env["HOLDFAST_EVENTS_TOPIC"] = s.KafkaAddr(), eventsTopic
	}
	maps.Copy(env, s.cfg.Settings)
	return env
}

// Failed gives the reason if api or worker cannot go on by itself. It is nil with InfraOnly.
func (s *Stack) Failed() <-chan error {
	if s.cfg.InfraOnly {
		return nil
	}
	failed := make(chan error, 2)
	for _, program := range []app.Program{s.api, s.worker} {
		go func() {
			select {
			case err := <-program.Failed():
				failed <- err
			case <-s.stopped:
			}
		}()
	}
	return failed
}

// Stop stops everything, what was started last first. It may be called twice.
func (s *Stack) Stop() error {
	var errs []error
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer())
	}
	s.closers = nil
	select {
	case <-s.stopped:
	default:
		close(s.stopped)
	}
	return errors.Join(errs...)
}
