package tracing

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/order"
)

// Interceptors make spans of workflows, activities and what clients ask of Temporal. They belong to a client, which gives
// them to its workers; a worker that got them as well would make each span twice. Nil for a nil provider.
//
// They write a header into events that are there anyway, so that histories with and without it replay alike.
func Interceptors(provider trace.TracerProvider) ([]interceptor.ClientInterceptor, error) {
	if provider == nil {
		return nil, nil
	}
	i, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer:                  Tracer(provider),
		TextMapPropagator:       propagation.TraceContext{},
		DisableBaggage:          true, // whatever callers send as baggage would be kept in histories
		DisableQueryTracing:     true, // the Web UI asks all the time
		AllowInvalidParentSpans: true, // a header that cannot be read must not fail an order
		SpanStarter:             startSpan,
	})
	if err != nil {
		return nil, fmt.Errorf("make Temporal's spans: %w", err)
	}
	return []interceptor.ClientInterceptor{schedulesApart{i}}, nil
}

// schedulesApart keeps the span that sets up a schedule out of it: each run would belong to that one trace for ever.
type schedulesApart struct{ interceptor.Interceptor }

// InterceptClient implements interceptor.ClientInterceptor.
func (i schedulesApart) InterceptClient(next interceptor.ClientOutboundInterceptor) interceptor.ClientOutboundInterceptor {
	return schedulesOutbound{i.Interceptor.InterceptClient(next), next}
}

type schedulesOutbound struct {
	interceptor.ClientOutboundInterceptor

	untraced interceptor.ClientOutboundInterceptor
}

// CreateSchedule implements interceptor.ClientOutboundInterceptor.
func (o schedulesOutbound) CreateSchedule(ctx context.Context, in *interceptor.ScheduleClientCreateInput) (client.ScheduleHandle, error) {
	return o.untraced.CreateSchedule(ctx, in)
}

func startSpan(ctx context.Context, tracer trace.Tracer, name string, options ...trace.SpanStartOption) trace.Span {
	_, span := tracer.Start(ctx, name, options...)
	if !span.IsRecording() {
		return span
	}
	if step, ok := strings.CutPrefix(name, "RunActivity:"); ok {
		span.SetAttributes(Step.String(step))
	}
	return &temporalSpan{Span: span}
}

// temporalSpan tells of the order that a workflow is for, and of an error its kind alone: an error's words may be somebody
// else's, and stand in the workflow's history.
type temporalSpan struct {
	trace.Span

	goesOn bool
}

// SetAttributes implements trace.Span.
func (s *temporalSpan) SetAttributes(attributes ...attribute.KeyValue) {
	s.Span.SetAttributes(attributes...)
	for _, a := range attributes {
		if a.Key == "temporalWorkflowID" {
			s.Span.SetAttributes(WorkflowID.String(a.Value.AsString()))
			if id, ok := orderOf(a.Value.AsString()); ok {
				s.Span.SetAttributes(OrderID.String(id))
			}
		}
	}
}

// RecordError implements trace.Span.
func (s *temporalSpan) RecordError(err error, _ ...trace.EventOption) {
	if err == nil {
		return
	}
	if s.goesOn = workflow.IsContinueAsNewError(err); s.goesOn {
		return
	}
	kind := fmt.Sprintf("%T", err)
	if failure, ok := errors.AsType[*temporal.ApplicationError](err); ok && failure.Type() != "" {
		kind = failure.Type()
	}
	s.Span.SetAttributes(attribute.String("error.type", kind))
}

// SetStatus implements trace.Span.
func (s *temporalSpan) SetStatus(code codes.Code, _ string) {
	if !s.goesOn {
		s.Span.SetStatus(code, "")
	}
}

// orderOf reads the order's id from a workflow's id, which has it behind a word: order/, cancel/.
func orderOf(workflowID string) (id string, ok bool) {
	_, id, _ = strings.Cut(workflowID, "/")
	_, err := order.ParseID(id)
	return id, err == nil
}
