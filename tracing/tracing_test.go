package tracing

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// setEnv sets the variables, and no others of OpenTelemetry's.
func setEnv(t *testing.T, variables map[string]string) {
	t.Helper()
	for _, name := range []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
		"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_SERVICE_NAME",
	} {
		t.Setenv(name, variables[name]) // so that it is put back
		if variables[name] == "" {
			_ = os.Unsetenv(name)
		}
	}
}

func fromEnv(t *testing.T, variables map[string]string) (*Provider, error) {
	t.Helper()
	setEnv(t, variables)
	return FromEnv(t.Context(), "holdfast-test", slog.New(slog.DiscardHandler))
}

func TestTracingIsOffUnlessAnEndpointIsSet(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"nothing":  {},
		"sampler":  {"OTEL_TRACES_SAMPLER": "always_on"},
		"disabled": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"},
		"none":     {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"},
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := fromEnv(t, variables); p != nil || err != nil {
				t.Errorf("got %v, %v", p, err)
			}
		})
	}
	if interceptors, err := Interceptors(nil); len(interceptors) > 0 || err != nil {
		t.Errorf("without a provider: %d interceptors, %v", len(interceptors), err)
	}
}

func TestTheEnvironmentIsCheckedAtTheStart(t *testing.T) {
	for name, value := range map[string]string{
		"OTEL_TRACES_SAMPLER": "sometimes", "OTEL_TRACES_SAMPLER_ARG": "2", "OTEL_EXPORTER_OTLP_PROTOCOL": "smoke",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := fromEnv(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", name: value}); err == nil {
				t.Error("taken")
			}
		})
	}
}

// TestNobodyWaitsForAnExporterThatIsDown: refused or without an answer, more spans than the queue takes cost as little as
// ever, and the stop is bounded.
func TestNobodyWaitsForAnExporterThatIsDown(t *testing.T) {
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	refusing, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = refusing.Close()
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		for name, addr := range map[string]string{"silent": silent.Addr().String(), "refusing": refusing.Addr().String()} {
			t.Run(protocol+"/"+name, func(t *testing.T) {
				p, err := fromEnv(t, map[string]string{
					"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + addr, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
				})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				for range 10_000 {
					_, span := Tracer(p).Start(t.Context(), "order")
					span.End()
				}
				if took := time.Since(began); took > flushTimeout { // a span takes microseconds
					t.Errorf("10,000 spans took %s", took)
				}
				began = time.Now()
				if err := p.Stop(); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > 2*flushTimeout {
					t.Errorf("the stop took %s", took)
				}
			})
		}
	}
}

// TestSpansReachACollector: by OTLP over HTTP, before the stop has returned, under the name of the program or the operator's.
func TestSpansReachACollector(t *testing.T) {
	got := make(chan []byte, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- append([]byte(r.URL.Path+" "), body...)
	}))
	defer collector.Close()
	for name, want := range map[string]string{"": "holdfast-test", "the-shop": "the-shop"} {
		p, err := fromEnv(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "OTEL_SERVICE_NAME": name})
		if err != nil {
			t.Fatal(err)
		}
		_, span := Tracer(p).Start(t.Context(), "an order")
		span.End()
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		select {
		case text := <-got:
			if !bytes.HasPrefix(text, []byte("/v1/traces ")) || !bytes.Contains(text, []byte("an order")) || !bytes.Contains(text, []byte(want)) {
				t.Errorf("the collector got %q, want the span from %s", text, want)
			}
		default:
			t.Error("the collector got nothing")
		}
	}
}

func TestSamplers(t *testing.T) {
	sampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled})
	unsampled := sampled.WithTraceFlags(0)
	for _, c := range []struct {
		sampler, arg string
		parent, link trace.SpanContext
		want         bool
	}{
		{sampler: "", want: true},
		{sampler: "", parent: unsampled, want: false},
		{sampler: "always_on", parent: unsampled, want: true},
		{sampler: "always_off", want: false},
		{sampler: "parentbased_always_off", parent: sampled, want: true},
		{sampler: "parentbased_traceidratio", arg: "0", want: false},
		{sampler: "traceidratio", arg: "1", want: true},
		{sampler: "parentbased_traceidratio", arg: "0", link: sampled, want: true},
		{sampler: "parentbased_traceidratio", arg: "0", link: unsampled, want: false},
		{sampler: "", parent: unsampled, link: sampled, want: false},
	} {
		setEnv(t, map[string]string{"OTEL_TRACES_SAMPLER": c.sampler, "OTEL_TRACES_SAMPLER_ARG": c.arg})
		sampler, err := samplerFromEnv()
		if err != nil {
			t.Fatal(err)
		}
		p := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler))
		ctx := trace.ContextWithRemoteSpanContext(t.Context(), c.parent)
		_, span := Tracer(p).Start(ctx, "order", trace.WithLinks(trace.Link{SpanContext: c.link}))
		if got := span.SpanContext().IsSampled(); got != c.want {
			t.Errorf("%q %q with parent %v and link %v: sampled is %v", c.sampler, c.arg, c.parent.IsSampled(), c.link.IsSampled(), got)
		}
	}
}

func TestWhatBelongsToNoTraceMakesNone(t *testing.T) {
	t.Parallel()
	ctx, span := Start(t.Context(), "a look each second")
	span.End()
	if trace.SpanContextFromContext(ctx).IsValid() {
		t.Error("a trace began")
	}
	kept := tracetest.NewInMemoryExporter()
	p := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
	ctx, request := Tracer(p).Start(context.Background(), "request")
	_, below := Start(ctx, "below")
	below.End()
	request.End()
	if spans := kept.GetSpans(); len(spans) != 2 || spans[0].Parent.SpanID() != request.SpanContext().SpanID() {
		t.Errorf("got %v", spans)
	}
}
