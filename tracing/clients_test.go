package tracing

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"modernc.org/sqlite"
)

const secret = "tok_of_somebody"

// under does something as part of a trace, and gives the spans that were made for it.
func under(t *testing.T, sampler sdktrace.Sampler, do func(ctx context.Context, p trace.TracerProvider)) tracetest.SpanStubs {
	t.Helper()
	kept := tracetest.NewInMemoryExporter()
	p := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept), sdktrace.WithSampler(sampler))
	ctx, request := Tracer(p).Start(t.Context(), "request")
	do(ctx, p)
	for _, s := range kept.GetSpans() {
		if s.Parent.TraceID() != request.SpanContext().TraceID() {
			t.Errorf("%s belongs to another trace", s.Name)
		}
		if text := fmt.Sprint(s.Name, s.Attributes, s.Events, s.Status); strings.Contains(text, secret) {
			t.Errorf("a span tells %s", text)
		}
	}
	return kept.GetSpans()
}

func wantNames(t *testing.T, spans tracetest.SpanStubs, want ...string) {
	t.Helper()
	var got []string
	for _, s := range spans {
		got = append(got, s.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("spans %q, want %q", got, want)
	}
}

// TestTheOtherSideIsToldTheTrace: whether or not it is sampled, and only if there is one.
func TestTheOtherSideIsToldTheTrace(t *testing.T) {
	t.Parallel()
	var told string
	provider := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told = r.Header.Get("Traceparent") }))
	defer provider.Close()
	get := func(ctx context.Context, url string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/"+secret, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		client := http.Client{Transport: Transport("payment", provider.Client().Transport)}
		if res, err := client.Do(req); err == nil {
			_ = res.Body.Close()
		}
	}
	spans := under(t, sdktrace.AlwaysSample(), func(ctx context.Context, _ trace.TracerProvider) { get(ctx, provider.URL) })
	wantNames(t, spans, "payment GET")
	if id := spans[0].SpanContext.SpanID().String(); !strings.Contains(told, id) || !strings.HasSuffix(told, "-01") {
		t.Errorf("told %q, want the span %s", told, id)
	}
	wantNames(t, under(t, sdktrace.NeverSample(), func(ctx context.Context, _ trace.TracerProvider) { get(ctx, provider.URL) }))
	if !strings.HasSuffix(told, "-00") {
		t.Errorf("told %q, want that it is not sampled", told)
	}
	if get(t.Context(), provider.URL); told != "" {
		t.Errorf("without a trace: told %q", told)
	}
	wantNames(t, under(t, sdktrace.AlwaysSample(), func(ctx context.Context, _ trace.TracerProvider) { get(ctx, "http://127.0.0.1:1") }), "payment GET")
}

func TestSpansOfRedisHaveNoArguments(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	defer func() { _ = client.Close() }()
	client.AddHook(RedisHook{})
	client.Ping(t.Context()) // belongs to no trace
	spans := under(t, sdktrace.AlwaysSample(), func(ctx context.Context, _ trace.TracerProvider) {
		client.Get(ctx, secret)
		_, _ = client.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, secret, secret, 0)
			p.Get(ctx, secret)
			p.Del(ctx, secret)
			return nil
		})
	})
	spans = slices.DeleteFunc(spans, func(s tracetest.SpanStub) bool { // of a connection, which the client may make anew
		return s.Name == "redis HELLO" || s.Name == "redis pipeline" && sizeOf(s) != 3
	})
	wantNames(t, spans, "redis GET", "redis pipeline")
}

func sizeOf(s tracetest.SpanStub) int64 {
	for _, a := range s.Attributes {
		if a.Key == "db.operation.batch.size" {
			return a.Value.AsInt64()
		}
	}
	return 0
}

type sqliteInMemory struct{}

func (sqliteInMemory) Connect(context.Context) (driver.Conn, error) {
	return new(sqlite.Driver).Open(":memory:")
}

func (sqliteInMemory) Driver() driver.Driver { return new(sqlite.Driver) }

// TestSpansOfStatementsHaveNoValues: nor do those of statements that fail.
func TestSpansOfStatementsHaveNoValues(t *testing.T) {
	t.Parallel()
	spans := under(t, sdktrace.AlwaysSample(), func(ctx context.Context, p trace.TracerProvider) {
		db := OpenPool(p, "sqlite")(sqliteInMemory{})
		defer func() { _ = db.Close() }()
		db.SetMaxOpenConns(1)
		if _, err := db.ExecContext(ctx, "CREATE TABLE t (a TEXT PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (?)", secret); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(ctx, "INSERT INTO t VALUES (?)", secret); err == nil {
			t.Error("a duplicate was taken")
		}
	})
	wantNames(t, spans, "SQL CREATE", "sql.conn.begin_tx", "SQL INSERT", "sql.tx.commit", "SQL INSERT")
}
