package tracing

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"testing"

	"go.opentelemetry.io/otel/trace"
	sdklog "go.temporal.io/sdk/log"

	"holdfast/order"
)

// lineOf gives the fields of the one line that is written, without time, level and msg.
func lineOf(t *testing.T, write func(*slog.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	write(slog.New(slog.NewJSONHandler(&out, nil)))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	maps.DeleteFunc(line, func(name string, _ any) bool { return name == "time" || name == "level" || name == "msg" })
	return line
}

func TestALineHasTheIDsOfItsSpan(t *testing.T) {
	t.Parallel()
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{0xab}, SpanID: trace.SpanID{0xcd}})
	got := lineOf(t, func(log *slog.Logger) {
		log = slog.New(LogHandler(log.Handler())).With("program", "api")
		log.InfoContext(trace.ContextWithSpanContext(t.Context(), span), "placed", "order_id", "o")
	})
	want := map[string]any{
		"program": "api", "order_id": "o", "trace_id": "ab000000000000000000000000000000", "span_id": "cd00000000000000",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := lineOf(t, func(log *slog.Logger) { slog.New(LogHandler(log.Handler())).InfoContext(t.Context(), "placed") }); len(got) > 0 {
		t.Errorf("without a span: %v", got)
	}
}

func TestTemporalsLinesReadAsAllOthers(t *testing.T) {
	t.Parallel()
	id := string(order.NewID("c", "k"))
	got := lineOf(t, func(log *slog.Logger) {
		logger := sdklog.With(TemporalLogger(log), "TaskQueue", "holdfast", "WorkflowID", "order/"+id, "ActivityType", "Charge", "TraceID", trace.TraceID{1})
		logger.Error("Activity error.", "RunID", "r", "Error", "no answer")
	})
	want := map[string]any{
		"task_queue": "holdfast", "workflow_id": "order/" + id, "order_id": id, "step": "Charge",
		"trace_id": "01000000000000000000000000000000", "run_id": "r", "error": "no answer",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	batch := lineOf(t, func(log *slog.Logger) { TemporalLogger(log).Info("a batch", "WorkflowID", "batch/ABC") })
	if want := map[string]any{"workflow_id": "batch/ABC"}; !maps.Equal(batch, want) {
		t.Errorf("of a batch: got %v, want %v", batch, want)
	}
}
