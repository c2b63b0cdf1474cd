// Package tracing makes the spans by which one order is followed from its request through its workflow to Redis, the order
// database and the payment provider, and puts their ids into logs. It knows where spans come from, not what is done in
// them. Without an OTLP endpoint in the environment there are none, and nothing is wrapped. Only app, the API's
// handlers, activities and programs import it: what implements a port is given what it needs.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Attributes of spans. None holds a customer, a payment method or anything that people wrote.
const (
	OrderID    = attribute.Key("holdfast.order_id")
	WorkflowID = attribute.Key("holdfast.workflow_id")
	// Lane is how the order went: LaneAlone or LaneBatch.
	Lane = attribute.Key("holdfast.lane")
	// Step is the name of a step, such as Reserve.
	Step = attribute.Key("holdfast.step")
	// Orders is how many orders a batch, or a step of it, has.
	Orders = attribute.Key("holdfast.orders")
)

// The lanes.
const (
	LaneAlone = "alone"
	LaneBatch = "batch"
)

// scope names what makes the spans, as OpenTelemetry wants to know.
const scope = "holdfast"

// Tracer makes holdfast's own spans.
func Tracer(provider trace.TracerProvider) trace.Tracer { return provider.Tracer(scope) }

// Start begins a span below that of ctx. Where there is none, or it is not recorded, it begins nothing: what nobody asked
// for, such as a look each second, makes no traces.
func Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, trace.SpanFromContext(context.Background())
	}
	return Tracer(parent.TracerProvider()).Start(ctx, name, options...) //nolint:spancheck // whoever called ends it
}

// Provider makes spans and exports them in the background.
type Provider struct {
	*sdktrace.TracerProvider

	log *slog.Logger
}

// FromEnv makes a provider that exports by OTLP to where OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
// says. It returns nil if neither is set, or tracing is switched off. All other variables are OpenTelemetry's as well.
//
// An order never waits for a span: those that the exporter does not get rid of are dropped, beyond a queue of 2048.
func FromEnv(ctx context.Context, service string, log *slog.Logger) (*Provider, error) {
	if !wanted() {
		return nil, nil //nolint:nilnil // tracing is off
	}
	sampler, err := samplerFromEnv()
	if err != nil {
		return nil, err
	}
	exporter, err := newExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("make the exporter of traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", service)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe the program to the traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(about), sdktrace.WithSampler(sampler),
		sdktrace.WithBatcher(&quietExporter{SpanExporter: exporter, log: log}),
	)
	return &Provider{provider, log}, nil
}

func wanted() bool {
	endpoint := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") + os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	return endpoint != "" && !strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") && os.Getenv("OTEL_TRACES_EXPORTER") != "none"
}

// newExporter does not connect yet: whoever takes the spans may come later.
func newExporter(ctx context.Context) (*otlptrace.Exporter, error) {
	protocol := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	switch protocol {
	case "", "http/protobuf":
		return otlptracehttp.New(ctx)
	case "grpc":
		return otlptracegrpc.New(ctx)
	}
	return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf or grpc, not %q", protocol)
}

// flushTimeout bounds how long a program that stops waits for the last spans to go.
const flushTimeout = 2 * time.Second

// Stop exports what is left, within a bound. It cannot fail a program that stops.
func (p *Provider) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil {
		p.log.WarnContext(ctx, lost, "error", err)
	}
	return nil
}

const lost = "spans are lost"

// quietExporter says once that spans are lost, and once that they go again. OpenTelemetry would tell a handler that is
// global, which prints.
type quietExporter struct {
	sdktrace.SpanExporter

	log     *slog.Logger
	failing atomic.Bool
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *quietExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch was := e.failing.Swap(err != nil); {
	case err != nil && !was:
		e.log.WarnContext(ctx, lost, "error", err)
	case err == nil && was:
		e.log.InfoContext(ctx, "spans are exported again")
	}
	return nil
}
