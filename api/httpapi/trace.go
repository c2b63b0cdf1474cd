package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"holdfast/tracing"
)

const (
	pathOfOrders  = "/v1/orders"
	pathOfWebhook = "/v1/payments/webhook"
)

// trace is around the requests about orders, and goes on with the trace that a request belongs to. What it tells of one is its
// route and its status: paths, queries and names of programs are what callers write, and may hold anything. otelhttp would
// tell them.
func (a *API) trace(next http.Handler) http.Handler {
	tracer := tracing.Tracer(a.Tracing)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != pathOfWebhook && r.URL.Path != pathOfOrders && !strings.HasPrefix(r.URL.Path, pathOfOrders+"/") {
			next.ServeHTTP(w, r)
			return
		}
		ctx := r.Context()
		if r.URL.Path != pathOfWebhook { // which anybody may call, and so must not add to anybody's trace
			ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
		}
		ctx, span := tracer.Start(ctx, method(r), trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// nameSpan tells what became of the request, of which the route is known by now.
func nameSpan(r *http.Request, route string, status int) {
	span := trace.SpanFromContext(r.Context())
	if !span.IsRecording() {
		return
	}
	span.SetName(method(r) + " " + route)
	span.SetAttributes(
		attribute.String("http.request.method", method(r)), attribute.String("http.route", route),
		attribute.Int("http.response.status_code", status),
	)
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
}

// tellSpan adds to the span of ctx, if that is recorded.
func tellSpan(ctx context.Context, about attribute.KeyValue) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(about)
	}
}

// traceID is empty if the request is not traced.
func traceID(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		return span.TraceID().String()
	}
	return ""
}

// traceProblem tells who gets a problem from huma the trace of its request.
func traceProblem(ctx huma.Context, _ string, answer any) (any, error) {
	if p, ok := answer.(*Problem); ok {
		p.TraceID = traceID(ctx.Context())
	}
	return answer, nil
}

// maxLinks bounds what a batch tells of the requests that it carries.
const maxLinks = 128

// traceBatch begins the trace of a batch. It is one of its own, since the batch belongs to none of its orders more than to
// another; links lead from it to the requests that are sampled, and back. Without any of them it is not sampled either.
func (l lanes) traceBatch(ctx context.Context, workflowID string, origins []context.Context) (context.Context, func()) {
	if l.tracing == nil {
		return ctx, func() {}
	}
	var links []trace.Link
	for _, origin := range origins {
		if s := trace.SpanContextFromContext(origin); s.IsSampled() && len(links) < maxLinks {
			links = append(links, trace.Link{SpanContext: s})
		}
	}
	if len(links) == 0 {
		ctx = trace.ContextWithSpanContext(ctx, trace.SpanContextFromContext(origins[0]))
	}
	ctx, span := tracing.Tracer(l.tracing).Start(ctx, "start batch", trace.WithLinks(links...), trace.WithAttributes(
		tracing.WorkflowID.String(workflowID), tracing.Lane.String(tracing.LaneBatch), tracing.Orders.Int(len(origins)),
	))
	for _, origin := range origins {
		if request := trace.SpanFromContext(origin); request.IsRecording() {
			request.AddLink(trace.Link{SpanContext: span.SpanContext()})
			request.SetAttributes(tracing.Lane.String(tracing.LaneBatch), tracing.WorkflowID.String(workflowID))
		}
	}
	return ctx, func() { span.End() }
}
