package bench

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"holdfast/app"
	"holdfast/devstack/stack"
)

// empties is the yardstick: workflows that do nothing, on the Temporal server that carries the orders, with the client
// and the worker that holdfast has.
type empties struct {
	temporal client.Client
	worker   worker.Worker
	hangUp   func() error
}

const (
	emptyQueue    = "empty"
	emptyWorkflow = "Empty"
)

func openEmpties(ctx context.Context, temporalAddr string) (*empties, error) {
	temporal, hangUp, err := app.DialTemporal(ctx, client.Options{HostPort: temporalAddr, Namespace: stack.Namespace},
		prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	w := worker.New(temporal, emptyQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(func(workflow.Context) error { return nil }, workflow.RegisterOptions{Name: emptyWorkflow})
	if err := w.Start(); err != nil {
		_ = hangUp() // nothing was sent
		return nil, err
	}
	return &empties{temporal: temporal, worker: w, hangUp: hangUp}, nil
}

// run starts a workflow and waits for its end, as the API does with orders.
func (e *empties) run(ctx context.Context, _ int) error {
	run, err := e.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: emptyQueue, EnableEagerStart: true}, emptyWorkflow)
	if err != nil {
		return err
	}
	return run.Get(ctx, nil)
}

func (e *empties) close() error {
	e.worker.Stop()
	return e.hangUp()
}
