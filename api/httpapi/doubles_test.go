package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"holdfast/audit"
	"holdfast/order"
	"holdfast/workflows"
)

// temporal runs each order once, as Temporal does with an id in use.
type temporal struct {
	run func(order.Order) // what the workflow does to the row; nil for nothing
	// forever: the workflow does not end, whatever it did.
	forever bool
	err     error

	mu      sync.Mutex
	started []order.Order
	options client.StartWorkflowOptions // of the last call
	name    any

	running   map[string]bool // workflows that take signals
	signalled []string        // workflow and signal
}

func (f *temporal) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.options, f.name = options, workflow
	if f.err != nil {
		return nil, f.err
	}
	orders, err := ordersOf(args[0])
	if err != nil {
		return nil, err
	}
	for _, o := range orders {
		if slices.ContainsFunc(f.started, func(other order.Order) bool { return other.ID == o.ID }) {
			continue
		}
		f.started = append(f.started, o)
		if f.run != nil {
			f.run(o)
		}
	}
	return workflowRun{forever: f.forever}, nil
}

// ordersOf reads what a workflow is started with: an order, or a batch of them.
func ordersOf(input any) ([]order.Order, error) {
	switch input := input.(type) {
	case order.Order:
		return []order.Order{input}, nil
	case workflows.Batch:
		orders := make([]order.Order, len(input))
		for i, text := range input {
			if err := json.Unmarshal(text, &orders[i]); err != nil {
				return nil, err
			}
		}
		return orders, nil
	}
	return nil, errors.New("not started with orders")
}

// GetWorkflow gives a workflow that ends at once, unless all of them go on.
func (f *temporal) GetWorkflow(context.Context, string, string) client.WorkflowRun {
	f.mu.Lock()
	defer f.mu.Unlock()
	return workflowRun{forever: f.forever}
}

func (f *temporal) SignalWorkflow(_ context.Context, workflowID, runID, signalName string, arg any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.err != nil:
		return f.err
	case runID != "" || arg != nil:
		return errors.New("signalled a certain run, or with a value")
	case !f.running[workflowID]:
		return serviceerror.NewNotFound("workflow execution already completed")
	}
	f.signalled = append(f.signalled, workflowID+" "+signalName)
	return nil
}

func (f *temporal) CheckHealth(context.Context, *client.CheckHealthRequest) (*client.CheckHealthResponse, error) {
	return &client.CheckHealthResponse{}, f.err
}

func (f *temporal) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.started)
}

type workflowRun struct {
	client.WorkflowRun
	forever bool
}

func (r workflowRun) Get(ctx context.Context, _ any) error {
	if !r.forever {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

type auditor struct {
	report audit.Report
	err    error
}

func (a *auditor) Run(context.Context) (audit.Report, error) { return a.report, a.err }

// logs keeps what was logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// errors gives the lines that were logged as errors.
func (l *logs) errors() []string {
	var found []string
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, `"level":"ERROR"`) {
			found = append(found, line)
		}
	}
	return found
}
