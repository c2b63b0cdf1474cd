package tracing

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/XSAM/otelsql"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Transport makes a span of each request that belongs to a trace, and tells the other side, which is called peer, of it in a
// traceparent header, also that it is not sampled. The span tells no path and no words of an error, as otelhttp would: net/http quotes a malformed answer in full.
func Transport(peer string, base http.RoundTripper) http.RoundTripper { return transport{peer, base} }

type transport struct {
	peer string
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper. The span ends with the head of the answer: bodies are short.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !trace.SpanContextFromContext(r.Context()).IsValid() {
		return t.base.RoundTrip(r)
	}
	ctx, span := Start(r.Context(), t.peer+" "+r.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Host),
	))
	defer span.End()
	r = r.Clone(ctx)
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	response, err := t.base.RoundTrip(r)
	if err != nil {
		span.SetStatus(codes.Error, "")
		return nil, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", response.StatusCode))
	if response.StatusCode >= http.StatusBadRequest {
		span.SetStatus(codes.Error, "")
	}
	return response, nil
}

// OpenPool opens a pool of connections that makes a span of each statement that belongs to a trace. The statement is told
// with its placeholders, and never with what takes their places.
func OpenPool(provider trace.TracerProvider, system string) func(driver.Connector) *sql.DB {
	return func(connector driver.Connector) *sql.DB {
		return otelsql.OpenDB(connector,
			otelsql.WithTracerProvider(provider), otelsql.WithMeterProvider(metricnoop.NewMeterProvider()),
			otelsql.WithAttributes(attribute.String("db.system.name", system)),
			otelsql.WithSpanNameFormatter(func(_ context.Context, method otelsql.Method, query string) string {
				if verb, _, ok := strings.Cut(strings.TrimSpace(query), " "); ok {
					return "SQL " + verb
				}
				return string(method)
			}),
			otelsql.WithAttributesGetter(func(_ context.Context, _ otelsql.Method, query string, _ []driver.NamedValue) []attribute.KeyValue {
				if query == "" {
					return nil
				}
				return []attribute.KeyValue{attribute.String("db.query.text", query[:min(len(query), maxStatement)])}
			}),
			otelsql.WithSpanOptions(otelsql.SpanOptions{
				OmitConnResetSession: true, OmitRows: true, OmitConnectorConnect: true, DisableQuery: true,
				RecordError: func(error) bool { return false }, // a duplicate key's words name its values
				SpanFilter: func(ctx context.Context, _ otelsql.Method, _ string, _ []driver.NamedValue) bool {
					return isTraced(ctx)
				},
			}),
		)
	}
}

// maxStatement bounds what a span says of a statement, in bytes: those for a batch repeat one tuple of placeholders.
const maxStatement = 512

func isTraced(ctx context.Context) bool { return trace.SpanFromContext(ctx).IsRecording() }

// RedisHook makes a span of each command and pipeline that belongs to a trace. It tells no keys and no arguments.
type RedisHook struct{}

var _ redis.Hook = RedisHook{}

// DialHook implements redis.Hook.
func (RedisHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook implements redis.Hook.
func (RedisHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		ctx, span := startRedis(ctx, strings.ToUpper(cmd.Name()))
		err := next(ctx, cmd)
		endRedis(span, err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (RedisHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		ctx, span := startRedis(ctx, "pipeline", attribute.Int("db.operation.batch.size", len(cmds)))
		err := next(ctx, cmds)
		endRedis(span, err)
		return err
	}
}

func startRedis(ctx context.Context, operation string, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
	if !isTraced(ctx) {
		return Start(ctx, "")
	}
	attributes = append(attributes, attribute.String("db.system.name", "redis"), attribute.String("db.operation.name", operation))
	return Start(ctx, "redis "+operation, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
}

// endRedis takes an answer of Redis for what it is: that a script is not loaded, or a key absent, is no failure.
func endRedis(span trace.Span, err error) {
	var answer redis.Error
	if err != nil && !errors.As(err, &answer) {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
