package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"

	"holdfast/order"
	"holdfast/workflows"
)

// temporalServer answers as Temporal would, for one workflow and one namespace. Other calls panic.
type temporalServer struct {
	client.Client

	refuses error            // what a start fails with
	has     *order.Order     // what the workflow that is there already was started with; nil for none
	result  func(any) error  // fills in the workflow's result; nil if it does not end
	custom  searchAttributes // of the namespace
	dialed  client.Options   // how it was reached
	started client.StartWorkflowOptions
	order   order.Order // what was started
	closed  bool
}

func (s *temporalServer) use(a *app) {
	a.dial = func(_ context.Context, o client.Options) (client.Client, error) {
		s.dialed = o
		return s, nil
	}
}

func (s *temporalServer) Close() { s.closed = true }

func (s *temporalServer) ExecuteWorkflow(ctx context.Context, o client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	input, ok := args[0].(order.Order)
	s.started, s.order = o, input
	switch {
	case !ok || workflow != workflows.PlaceOrderName || !o.WorkflowExecutionErrorWhenAlreadyStarted:
		panic("not PlaceOrder, or one that hides whether it was there")
	case s.refuses != nil:
		return nil, s.refuses
	case s.has != nil:
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", "run-1")
	}
	return s.GetWorkflow(ctx, o.ID, ""), nil
}

func (s *temporalServer) GetWorkflow(_ context.Context, id, runID string) client.WorkflowRun {
	return workflowRun{id: id, runID: runID, result: s.result}
}

func (s *temporalServer) GetWorkflowHistory(_ context.Context, _, runID string, _ bool, _ enums.HistoryEventFilterType) client.HistoryEventIterator {
	if runID != "run-1" {
		panic("the history of another run")
	}
	input, err := converter.GetDefaultDataConverter().ToPayloads(*s.has)
	if err != nil {
		panic(err)
	}
	return startedEvent{input: input}
}

func (s *temporalServer) OperatorService() operatorservice.OperatorServiceClient { return &s.custom }

// workflowRun has a result, or none before the caller gives up.
type workflowRun struct {
	client.WorkflowRun

	id, runID string
	result    func(any) error
}

func (r workflowRun) GetID() string { return r.id }

func (r workflowRun) Get(ctx context.Context, value any) error {
	if r.result == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return r.result(value)
}

// startedEvent is a history of which only the first event is asked for.
type startedEvent struct{ input *common.Payloads }

func (e startedEvent) HasNext() bool { return true }

func (e startedEvent) Next() (*history.HistoryEvent, error) {
	return &history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &history.WorkflowExecutionStartedEventAttributes{Input: e.input},
	}}, nil
}

func endsWith(r workflows.Result) func(any) error {
	return func(into any) error {
		result, ok := into.(*workflows.Result)
		if !ok {
			return errors.New("PlaceOrder gives a workflows.Result")
		}
		*result = r
		return nil
	}
}

func fails(err error) func(any) error { return func(any) error { return err } }

// gives is the result of a workflow that ends well. A command that reads it as something else fails.
func gives[T any](result T) func(any) error {
	return func(into any) error {
		target, ok := into.(*T)
		if !ok {
			return fmt.Errorf("the result is a %T, and is read into a %T", result, into)
		}
		*target = result
		return nil
	}
}

// searchAttributes are a namespace's custom search attributes.
type searchAttributes struct {
	operatorservice.OperatorServiceClient

	types map[string]enums.IndexedValueType
	// meanwhile is what somebody else adds between a look and an addition.
	meanwhile map[string]enums.IndexedValueType
	refuses   error
	absent    bool     // there is no such namespace
	asked     []string // namespaces
}

func (s *searchAttributes) ListSearchAttributes(_ context.Context, r *operatorservice.ListSearchAttributesRequest, _ ...grpc.CallOption,
) (*operatorservice.ListSearchAttributesResponse, error) {
	s.asked = append(s.asked, r.GetNamespace())
	if s.absent {
		return nil, serviceerror.NewNamespaceNotFound(r.GetNamespace())
	}
	custom := make(map[string]enums.IndexedValueType)
	maps.Copy(custom, s.types)
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: custom}, nil
}

func (s *searchAttributes) AddSearchAttributes(_ context.Context, r *operatorservice.AddSearchAttributesRequest, _ ...grpc.CallOption,
) (*operatorservice.AddSearchAttributesResponse, error) {
	if s.refuses != nil {
		return nil, s.refuses
	}
	if s.types == nil {
		s.types = make(map[string]enums.IndexedValueType)
	}
	maps.Copy(s.types, s.meanwhile)
	s.meanwhile = nil
	for name := range r.GetSearchAttributes() {
		if _, ok := s.types[name]; ok {
			return nil, serviceerror.NewAlreadyExists(name + " is there already")
		}
	}
	maps.Copy(s.types, r.GetSearchAttributes())
	return &operatorservice.AddSearchAttributesResponse{}, nil
}

func TestNamespace(t *testing.T) {
	t.Parallel()
	for want, environ := range map[string][]string{
		"default": {noConfigFile},
		"shop":    {noConfigFile, "TEMPORAL_NAMESPACE=shop"},
	} {
		same(t, "namespace", newApp(Env{Environ: environ}).namespace(), want)
	}
}
