package tracing

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"
	sdklog "go.temporal.io/sdk/log"
)

// Names in logs that are the same whoever writes the line.
const (
	logTraceID = "trace_id"
	logSpanID  = "span_id"
	logOrderID = "order_id"
	logStep    = "step"
)

// LogHandler adds the ids of the context's span to each line.
func LogHandler(next slog.Handler) slog.Handler { return spanIDs{next} }

type spanIDs struct{ slog.Handler }

// Handle implements slog.Handler.
func (h spanIDs) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String(logTraceID, span.TraceID().String()), slog.String(logSpanID, span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h spanIDs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return spanIDs{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h spanIDs) WithGroup(name string) slog.Handler { return spanIDs{h.Handler.WithGroup(name)} }

// TemporalLogger gives the Temporal SDK a logger whose lines read as all others: its names become ours, an activity is a
// step, and a workflow of an order says which.
func TemporalLogger(log *slog.Logger) sdklog.Logger {
	return sdklog.NewStructuredLogger(slog.New(ourNames{next: log.Handler()}))
}

// ourNames puts attributes off until there is a line: the SDK makes a logger for each workflow and each activity, and most of
// them never say a word.
type ourNames struct {
	next  slog.Handler
	attrs []slog.Attr // by the SDK's names
}

// Enabled implements slog.Handler.
func (h ourNames) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h ourNames) Handle(ctx context.Context, r slog.Record) error {
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	renamed := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	renamed.AddAttrs(rename(attrs)...)
	return h.next.Handle(ctx, renamed)
}

// WithAttrs implements slog.Handler.
func (h ourNames) WithAttrs(attrs []slog.Attr) slog.Handler {
	return ourNames{h.next, slices.Concat(h.attrs, attrs)}
}

// WithGroup implements slog.Handler.
func (h ourNames) WithGroup(name string) slog.Handler {
	return ourNames{next: h.next.WithAttrs(rename(h.attrs)).WithGroup(name)}
}

func rename(attrs []slog.Attr) []slog.Attr {
	renamed := make([]slog.Attr, 0, len(attrs)+1)
	for _, a := range attrs {
		name := a.Key
		a.Key = snake(name)
		renamed = append(renamed, a)
		if name == "WorkflowID" {
			if id, ok := orderOf(a.Value.String()); ok {
				renamed = append(renamed, slog.String(logOrderID, id))
			}
		}
	}
	return renamed
}

// snake turns TaskQueue into task_queue, and WorkflowID into workflow_id.
func snake(name string) string {
	switch name {
	case "ActivityType":
		return logStep
	case "TraceID":
		return logTraceID
	case "SpanID":
		return logSpanID
	}
	var b strings.Builder
	for i := range len(name) {
		if isUpper(name[i]) && i > 0 && !isUpper(name[i-1]) {
			b.WriteByte('_')
		}
		b.WriteByte(name[i])
	}
	return strings.ToLower(b.String())
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
