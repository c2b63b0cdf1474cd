package app

import (
	"context"
	"errors"

	"holdfast/admission"
	"holdfast/api/httpapi"
	"holdfast/audit"
	"holdfast/metrics"
	"holdfast/payment"
)

// API serves the HTTP API.
type API struct {
	*platform
	handler *httpapi.API
	server  *server
}

// NewAPI connects an API; Start serves it. After an error there is nothing to stop.
func NewAPI(ctx context.Context, o Options) (*API, error) {
	p, err := newPlatform(ctx, "holdfast-api", o)
	if err != nil {
		return nil, err
	}
	if p.cutoffs, err = cutoffsOf(p.cfg); err != nil {
		return nil, errors.Join(err, p.close())
	}
	metrics.RegisterBooks(p.registry, p.books)
	webhook, err := newWebhook(p.cfg.PaymentWebhookSecret)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	maxUntold := 0
	if p.publishes() {
		maxUntold = p.cfg.UntoldOrders
	}
	handler, err := httpapi.New(httpapi.Deps{ //nolint:contextcheck // what it starts ends with its Close
		Orders: p.orders, Stock: p.orders, Front: p.stock, Temporal: p.temporal,
		Auditor: p.auditor(audit.DefaultLimit, audit.DefaultPatience),
		Webhook: webhook,
		Limits: admission.Limits{
			InFlight: p.cfg.InFlight, Queue: p.cfg.Queue, CustomerQueue: p.cfg.CustomerQueue, Patient: p.cfg.PatientOrders,
		},
		MaxUntold: maxUntold,
		TaskQueue: p.cfg.TaskQueue, Metrics: metrics.Handler(p.registry), Registerer: p.registry, Tracing: p.tracing, Log: p.log,
	})
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return &API{platform: p, handler: handler, server: newServer(p.cfg.APIAddr, handler, p.log, p.fail)}, nil
}

// newWebhook gives nil if there is no secret.
func newWebhook(secret string) (*payment.Webhook, error) {
	if secret == "" {
		return nil, nil //nolint:nilnil // an API without webhooks
	}
	return payment.NewWebhook(secret)
}

// Start begins to serve.
func (a *API) Start(ctx context.Context) error { return a.server.start(ctx) }

// Stop takes no more requests, answers those under way, and lets go of everything.
func (a *API) Stop(ctx context.Context) error {
	a.handler.Drain()
	err := a.server.stop(ctx)
	a.handler.Close()
	return errors.Join(err, a.close())
}

// Addr is where the API is served, once started.
func (a *API) Addr() string { return a.server.addr() }
