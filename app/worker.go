package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/config"
	"holdfast/events"
	"holdfast/metrics"
	"holdfast/reconcile"
	"holdfast/workflows"
)

// auditPatience outlasts a database or a provider that is restarted.
const auditPatience = time.Minute

// Worker carries orders: it runs the workflows and their steps, and serves its health and metrics.
type Worker struct {
	*platform
	worker        worker.Worker
	server        *server
	started       bool
	stopSchedules func()
}

// NewWorker connects a worker; Start sets it to work. After an error there is nothing to stop.
func NewWorker(ctx context.Context, o Options) (*Worker, error) {
	p, err := newPlatform(ctx, "holdfast-worker", o)
	if err != nil {
		return nil, err
	}
	w := &Worker{platform: p}
	w.worker = worker.New(p.temporal, p.cfg.TaskQueue, worker.Options{
		// Cut off at once, a step under way would have to be found out about by its repeat.
		WorkerStopTimeout: p.cfg.ShutdownTimeout,
		OnFatalError:      func(err error) { p.fail(fmt.Errorf("the worker cannot go on: %w", err)) },
		DeploymentOptions: deployment(p.cfg),
	})
	workflows.Workflows{AttentionAfter: p.cfg.AttentionAfter}.Register(w.worker)
	steps := &activities.Activities{
		Stock: p.stock, Orders: p.orders, Payments: p.payments,
		Metrics: activities.NewMetrics(p.registry), KeyMemory: p.cfg.PaymentKeyMemory, PaymentDeadline: p.cfg.PaymentDeadline,
		DirectOpens: activities.NewDirectOpens(p.cfg.DirectOpens),
	}
	steps.Register(w.worker)
	reconciliation := &activities.Reconciliation{
		Reconciler: reconcile.New(reconcile.Config{
			Orders: p.orders, Front: p.stock, Carrier: carrier{p.temporal, p.cfg.TaskQueue}, Grace: p.cfg.ReconcileGrace,
			EventsAreCarried: p.publishes(),
		}),
		Metrics: activities.NewReconcileMetrics(p.registry),
	}
	reconciliation.Register(w.worker)
	publications := &activities.Publications{Announcements: p.orders, Metrics: steps.Metrics}
	if p.publishes() {
		publisher, err := events.NewPublisher(events.Config{Brokers: p.cfg.KafkaBrokers, Topic: p.cfg.EventsTopic, Registerer: p.registry})
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.closers = append(p.closers, func() error { publisher.Close(); return nil })
		publications.Events = publisher
	}
	publications.Register(w.worker)
	handOffs := &activities.HandOffs{Pages: p.orders, PageSize: p.cfg.HandOffPage, Publications: publications, Metrics: activities.NewHandOffMetrics(p.registry)}
	if p.warehouse != nil {
		handOffs.Warehouse = p.warehouse
	}
	handOffs.Register(w.worker)
	purges := &activities.Purges{Purger: p.orders, Retention: p.cfg.Retention, Metrics: activities.NewPurgeMetrics(p.registry)}
	purges.Register(w.worker)
	audits := &activities.Audits{Auditor: auditing{p.auditor(workflows.AuditTime, auditPatience)}, Metrics: activities.NewAuditMetrics(p.registry)}
	audits.Register(w.worker)
	measureSchedules(p.registry, p.cfg)
	w.server = newServer(p.cfg.WorkerAddr, w.routes(), p.log, p.fail)
	return w, nil
}

// deployment pins workflows to the version that they began on. An order is short; one that waits long keeps its
// version's workers needed, which Temporal shows as draining.
func deployment(cfg config.Config) worker.DeploymentOptions {
	if cfg.Deployment == "" {
		return worker.DeploymentOptions{}
	}
	return worker.DeploymentOptions{
		UseVersioning:             true,
		Version:                   worker.WorkerDeploymentVersion{DeploymentName: cfg.Deployment, BuildID: cfg.BuildID},
		DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
	}
}

// Start begins to take work. It returns once the worker polls, or with the reason why it cannot.
func (w *Worker) Start(ctx context.Context) error {
	if err := w.server.start(ctx); err != nil {
		return err
	}
	if err := w.worker.Start(); err != nil {
		return fmt.Errorf("start polling %s: %w", w.cfg.TaskQueue, err)
	}
	w.started = true
	w.stopSchedules = w.keepSchedules(ctx)
	return nil
}

// Stop takes no more work, lets work under way end within the shutdown timeout, and lets go of
// everything.
func (w *Worker) Stop(ctx context.Context) error {
	if w.started {
		w.stopSchedules()
		w.worker.Stop()
	}
	return errors.Join(w.server.stop(ctx), w.close())
}

// Addr is where health and metrics are served, once started.
func (w *Worker) Addr() string { return w.server.addr() }

func (w *Worker) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler(w.registry))
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, r *http.Request) {
		_, err := w.temporal.CheckHealth(r.Context(), &client.CheckHealthRequest{})
		if err == nil {
			err = w.orders.Ping(r.Context())
		}
		if err != nil {
			w.log.WarnContext(r.Context(), "not ready", "error", err)
			http.Error(rw, "not ready: Temporal or the order database does not answer", http.StatusServiceUnavailable)
			return
		}
		rw.WriteHeader(http.StatusOK)
	})
	return mux
}
