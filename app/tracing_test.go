package app

import (
	"log/slog"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// TestWithoutTracingNothingIsWrapped: nobody pays for spans that nobody wants.
func TestWithoutTracingNothingIsWrapped(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		t.Setenv(name, "")
	}
	log := slog.New(slog.DiscardHandler)
	off := &platform{log: log}
	if err := off.openTracing(t.Context(), "holdfast-test"); err != nil {
		t.Fatal(err)
	}
	if off.tracing != nil || off.log != log || len(off.closers) > 0 || off.redisHook() != nil || off.transport("payment") != nil || off.pool("mysql") != nil {
		t.Errorf("something is wrapped: %+v", off)
	}
	on := &platform{log: log, tracing: sdktrace.NewTracerProvider()}
	if err := on.openTracing(t.Context(), "holdfast-test"); err != nil {
		t.Fatal(err)
	}
	if on.log == log || on.redisHook() == nil || on.transport("payment") == nil || on.pool("mysql") == nil || len(on.closers) > 0 {
		t.Errorf("something is not wrapped, or what was given would be closed: %+v", on)
	}
}
