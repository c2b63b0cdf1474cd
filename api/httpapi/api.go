// Package httpapi is the HTTP API: its routes, what it takes, what it answers, and its OpenAPI document.
// It decides nothing about an order or a unit; it starts workflows, waits for them and answers what the
// order database says. Only app and tests import it.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"holdfast/admission"
	"holdfast/internal/gather"
	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/payment"
	"holdfast/workflows"
)

// Deps is what the API stands on. All fields are required but those that say otherwise.
type Deps struct {
	Orders   Orders
	Stock    Stock
	Front    Front
	Temporal Temporal
	Auditor  Auditor
	// MaxUntold is how many orders may wait for Kafka before new ones are answered 503; 0 if others are told of nothing.
	MaxUntold int
	// Webhook reads what the payment provider tells by itself. Nil takes no webhooks: they are answered 404.
	Webhook *payment.Webhook
	// Limits bound the orders that wait and that are carried at once.
	Limits admission.Limits
	// TaskQueue is where the workers listen.
	TaskQueue string
	// Metrics answers GET /metrics.
	Metrics http.Handler
	// Registerer takes the API's own series.
	Registerer prometheus.Registerer
	// Tracing makes spans of the requests about orders. Nil makes none.
	Tracing trace.TracerProvider
	// Log takes what went wrong inside. Nil drops it.
	Log *slog.Logger
	// Version is the program's, for the OpenAPI document. Empty is "dev".
	Version string
}

func (d Deps) missing() error {
	var errs []error
	for name, given := range map[string]bool{
		"Orders": d.Orders != nil, "Stock": d.Stock != nil, "Front": d.Front != nil, "Temporal": d.Temporal != nil,
		"Auditor": d.Auditor != nil, "TaskQueue": d.TaskQueue != "", "Metrics": d.Metrics != nil, "Registerer": d.Registerer != nil,
	} {
		if !given {
			errs = append(errs, fmt.Errorf("HTTP API: Deps.%s is missing", name))
		}
	}
	return errors.Join(errs...)
}

// API is the handler of all routes. The server in front of it must bound how long a request may take
// to arrive (ReadTimeout), since the API does not; it needs up to 40 seconds for an answer, and longer
// for an audit.
type API struct {
	Deps
	mux       *chi.Mux
	huma      huma.API
	series    *series
	demand    *demand
	admission *admission.Admission
	gate      *admission.Gate
	rows      *gather.Group[order.ID, orderdb.Record]
	known     *lru.Cache[string, struct{}] // SKUs that exist; they are never deleted
	auditor   chan struct{}                // holds a token while an audit runs
	draining  context.Context              //nolint:containedctx // ended by Drain
	drain     context.CancelFunc
	patience  patience
}

// patience is how long the API waits for others. Tests shorten it.
type patience struct {
	start time.Duration // for Temporal to take an order
	row   time.Duration // for an order's row to appear after the wait for its end
	check time.Duration // for one check of readyz
}

// knownSKUs bounds the memory of SKUs that exist, to some 10 MB. One that falls out costs a read by
// primary key.
const knownSKUs = 1 << 16

var humaOnce sync.Once

// New makes the API. Close ends what it does in the background.
func New(d Deps) (*API, error) {
	if err := d.missing(); err != nil {
		return nil, err
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Version == "" {
		d.Version = "dev"
	}
	known, err := lru.New[string, struct{}](knownSKUs)
	if err != nil {
		return nil, err
	}
	// huma makes its own errors by a package variable, and offers no other way to give them our form.
	// Every API of a process wants the same one, so it is set once, before any request.
	humaOnce.Do(func() { huma.NewError = humaProblem }) //nolint:reassign // see above
	a := &API{
		Deps: d, mux: chi.NewMux(), series: newSeries(d.Registerer), demand: newDemand(d.Stock, d.Front), known: known,
		auditor:  make(chan struct{}, 1),
		patience: patience{start: 5 * time.Second, row: 2 * time.Second, check: time.Second},
	}
	d.Registerer.MustRegister(a.demand)
	a.draining, a.drain = context.WithCancel(context.Background())
	a.rows = gather.New(a.readRows, rowReads, workflows.MaxBatch)
	turnedAway := admission.NewMetrics(d.Registerer)
	if a.gate, err = admission.NewGate(d.Front, turnedAway); err != nil {
		return nil, err
	}
	a.admission, err = admission.New(admission.Config{
		Limits:   d.Limits,
		Carrier:  lanes{temporal: d.Temporal, taskQueue: d.TaskQueue, patience: a.patience.start, tracing: d.Tracing},
		Books:    books{d.Orders, d.MaxUntold},
		MaxBatch: workflows.MaxBatch, MaxBatchLines: workflows.MaxBatchLines, MaxBatchBytes: workflows.MaxBatchBytes,
		MaxBatchedOrder: workflows.MaxBatchedOrder,
	}, turnedAway)
	if err != nil {
		return nil, err
	}
	if d.Tracing != nil {
		a.mux.Use(a.trace)
	}
	a.mux.Use(a.observe, a.sameOrigin, middleware.GetHead)
	a.mux.NotFound(a.notFound)
	a.mux.MethodNotAllowed(a.methodNotAllowed)
	a.huma = humachi.New(a.mux, humaConfig(d.Version))
	a.routes()
	if err := a.documents(); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// rowReads is how many reads of rows for those who wait are under way at once. More would only make more reads of what one
// could read, and keep orders from the connections that they need.
const rowReads = 1

func (a *API) readRows(ctx context.Context, ids []order.ID) (map[order.ID]orderdb.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, a.patience.row)
	defer cancel()
	return a.Orders.GetMany(ctx, ids)
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Drain lets no more orders in and ends all waiting: who waits is answered at once by what the row says. Call it before
// the server in front is shut down, which otherwise would wait for the waits.
func (a *API) Drain() {
	a.admission.Drain()
	a.drain()
}

// Close drains, and ends what goes on in the background. No request may come any more.
func (a *API) Close() {
	a.Drain()
	a.admission.Close()
}

// sameOrigin refuses what a browser sends from another site's page. Not every call has a body whose type would do so.
func (a *API) sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		write(w, r, newProblem(slugCrossOrigin, "nothing was changed: a page of another site has sent this"))
	}))
	return protection.Handler(next)
}

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	write(w, r, newProblem(slugNotFound, "there is nothing at %s", clip(r.URL.Path)))
}

func (a *API) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut} {
		asked := method
		if asked == http.MethodHead {
			asked = http.MethodGet // see middleware.GetHead
		}
		if a.mux.Match(chi.NewRouteContext(), asked, r.URL.Path) {
			w.Header().Add("Allow", method)
		}
	}
	write(w, r, newProblem(slugMethodNotAllowed, "%s is not allowed there", clip(r.Method)))
}
