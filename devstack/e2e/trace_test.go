package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
)

// spans are those that have ended so far.
type spans struct{ *tracetest.InMemoryExporter }

// openTraced starts a stack that keeps its spans.
func openTraced(t *testing.T, adapt ...func(*stack.Config)) (shopFront, spans) {
	t.Helper()
	kept := spans{tracetest.NewInMemoryExporter()}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
	adapt = append(adapt, func(c *stack.Config) { c.TracerProvider = provider })
	return open(t, adapt...), kept
}

// caller is a shop's back end that traces its own requests.
type caller struct {
	http.RoundTripper

	traceparent string
}

// RoundTrip implements http.RoundTripper.
func (c caller) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Traceparent", c.traceparent)
	return c.RoundTripper.RoundTrip(r)
}

// The trace that the shop's back end has begun.
const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

func (f shopFront) traced() shopFront {
	client := *f.Client
	client.HTTP = &http.Client{Transport: caller{f.HTTP.Transport, "00-" + callersTrace + "-" + callersSpan + "-01"}}
	f.Client = &client
	return f
}

// tree is the spans of one trace.
type tree []tracetest.SpanStub

// of waits until the trace has a span of each of the names, and gives all that it has by then.
func (s spans) of(t *testing.T, traceID string, names ...string) tree {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		var found tree
		for _, span := range s.GetSpans() {
			if span.SpanContext.TraceID().String() == traceID {
				found = append(found, span)
			}
		}
		missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return len(found.named(name)) > 0 })
		switch {
		case len(missing) == 0:
			return found
		case ctx.Err() != nil:
			t.Fatalf("no span %q among these:\n%s", missing, found)
		}
		pause(ctx, 10*time.Millisecond)
	}
}

func (tr tree) named(name string) (found []tracetest.SpanStub) {
	for _, span := range tr {
		if span.Name == name {
			found = append(found, span)
		}
	}
	return found
}

func (tr tree) one(t *testing.T, name string) tracetest.SpanStub {
	t.Helper()
	found := tr.named(name)
	if len(found) != 1 {
		t.Fatalf("%d spans are named %q, want one:\n%s", len(found), name, tr)
	}
	return found[0]
}

func (tr tree) byID(id trace.SpanID) (tracetest.SpanStub, bool) {
	i := slices.IndexFunc(tr, func(s tracetest.SpanStub) bool { return s.SpanContext.SpanID() == id })
	if i < 0 {
		return tracetest.SpanStub{}, false
	}
	return tr[i], true
}

// path is the names from the root down to the span.
func (tr tree) path(s tracetest.SpanStub) string {
	if parent, ok := tr.byID(s.Parent.SpanID()); ok {
		return tr.path(parent) + " > " + s.Name
	}
	return s.Name
}

func (tr tree) String() string {
	var b strings.Builder
	for _, s := range tr {
		fmt.Fprintln(&b, tr.path(s))
	}
	return b.String()
}

// wantOneRoot checks that every span's parent is there, but for one span, which it gives.
func (tr tree) wantOneRoot(t *testing.T) tracetest.SpanStub {
	t.Helper()
	var roots []tracetest.SpanStub
	for _, s := range tr {
		if _, ok := tr.byID(s.Parent.SpanID()); !ok {
			roots = append(roots, s)
		}
	}
	if len(roots) != 1 {
		t.Fatalf("%d spans have no parent, want one:\n%s", len(roots), tr)
	}
	return roots[0]
}

// wantBelow checks that some span with the name is below one with the other.
func (tr tree) wantBelow(t *testing.T, above, name string) {
	t.Helper()
	for _, s := range tr.named(name) {
		if strings.Contains(tr.path(s), " > "+above+" > ") {
			return
		}
	}
	t.Errorf("no %s is below %s:\n%s", name, above, tr)
}

func attributeOf(s tracetest.SpanStub, key string) string {
	for _, a := range s.Attributes {
		if a.Key == attribute.Key(key) {
			return a.Value.String()
		}
	}
	return ""
}

// wantDiscreet checks that no span tells who bought, how he pays, or what came from outside.
func (s spans) wantDiscreet(t *testing.T, secrets ...string) {
	t.Helper()
	for _, span := range s.GetSpans() {
		text := fmt.Sprintf("%s %v %v %v %v", span.Name, span.Attributes, span.Events, span.Links, span.Status)
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("a span tells %q: %s", secret, text)
			}
		}
	}
}

const (
	requestSpan  = "POST /v1/orders"
	workflowSpan = "RunWorkflow:PlaceOrder"
)

func TestAnOrderIsOneTraceFromItsRequestToItsCommit(t *testing.T) {
	t.Parallel()
	front, kept := openTraced(t)
	front.sell(t, "mug", 5)
	answer := front.traced().buy(t, "k", shop.Buy("ada-lovelace", "tok_ok", "mug", 1))
	if answer.Status != http.StatusCreated {
		t.Fatalf("answered %d %+v", answer.Status, answer.Problem)
	}
	tr := kept.of(t, callersTrace, requestSpan, workflowSpan)
	root := tr.wantOneRoot(t)
	if root.Name != requestSpan || root.Parent.SpanID().String() != callersSpan || root.SpanKind != trace.SpanKindServer {
		t.Errorf("the root is %s below %s, want %s below the caller's span", root.Name, root.Parent.SpanID(), requestSpan)
	}
	for key, want := range map[string]string{
		"holdfast.order_id": string(answer.ID()), "holdfast.lane": "alone", "holdfast.workflow_id": "order/" + string(answer.ID()),
		"http.route": "/v1/orders", "http.response.status_code": "201",
	} {
		if got := attributeOf(root, key); got != want {
			t.Errorf("the request's %s is %q, want %q", key, got, want)
		}
	}
	for _, step := range []string{"Reserve", "Open", "Charge", "Commit"} {
		span := tr.one(t, "RunActivity:"+step)
		if want := strings.Join([]string{
			requestSpan, "StartWorkflow:PlaceOrder", workflowSpan, "StartActivity:" + step, "RunActivity:" + step,
		}, " > "); tr.path(span) != want {
			t.Errorf("%s is at %s, want %s", step, tr.path(span), want)
		}
		if attributeOf(span, "holdfast.order_id") != string(answer.ID()) || attributeOf(span, "holdfast.step") != step {
			t.Errorf("%s tells %v", step, span.Attributes)
		}
	}
	tr.wantBelow(t, "RunActivity:Reserve", "redis pipeline")
	tr.wantBelow(t, "RunActivity:Open", "SQL INSERT")
	tr.wantBelow(t, "RunActivity:Open", "sql.tx.commit")
	tr.wantBelow(t, "RunActivity:Charge", "payment POST")
	tr.wantBelow(t, "RunActivity:Commit", "SQL UPDATE")
	tr.wantBelow(t, "RunActivity:Commit", "sql.tx.commit")
	kept.wantDiscreet(t, "ada-lovelace", "tok_ok")
}

func TestAnOrderThatIsUndoneIsOneTrace(t *testing.T) {
	t.Parallel()
	front, kept := openTraced(t)
	front.sell(t, "mug", 5)
	if answer := front.traced().buy(t, "k", shop.Buy("ada-lovelace", "tok_declined", "mug", 1)); answer.Status != http.StatusPaymentRequired {
		t.Fatalf("answered %d %+v", answer.Status, answer.Problem)
	}
	tr := kept.of(t, callersTrace, requestSpan, workflowSpan, "RunActivity:Release", "RunActivity:Settle")
	tr.wantOneRoot(t)
	tr.wantBelow(t, "RunActivity:Close", "SQL UPDATE")
	tr.wantBelow(t, "RunActivity:Release", "redis pipeline")
	kept.wantDiscreet(t, "ada-lovelace", "tok_declined")
}

// TestABatchIsATraceOfItsOwnThatLeadsToItsOrders: and theirs lead to it.
func TestABatchIsATraceOfItsOwnThatLeadsToItsOrders(t *testing.T) {
	t.Parallel()
	const shoppers = 60
	front, kept := openTraced(t, func(c *stack.Config) { c.Settings = map[string]string{"HOLDFAST_IN_FLIGHT": "1"} })
	front.sell(t, "mug", shoppers)
	front.letCrowdIn(t, shoppers, []string{"mug"}, "tok_ok", "tok_declined").check(t, front)
	var request tracetest.SpanStub
	for _, s := range kept.GetSpans() {
		if s.Name == requestSpan && attributeOf(s, "holdfast.lane") == "batch" {
			request = s
		}
	}
	if len(request.Links) != 1 {
		t.Fatalf("the request of a batched order has %d links, want one to its batch", len(request.Links))
	}
	batch := request.Links[0].SpanContext
	tr := kept.of(t, batch.TraceID().String(), "start batch", "RunWorkflow:PlaceOrders")
	root := tr.wantOneRoot(t)
	if root.SpanContext.SpanID() != batch.SpanID() || root.Parent.IsValid() {
		t.Errorf("the link does not lead to the root of the batch's trace, %s", root.Name)
	}
	if back := slices.ContainsFunc(root.Links, func(l sdktrace.Link) bool { return l.SpanContext.Equal(request.SpanContext) }); !back {
		t.Errorf("none of the batch's %d links leads to the request", len(root.Links))
	}
	if got, want := attributeOf(root, "holdfast.orders"), fmt.Sprint(len(root.Links)); got != want {
		t.Errorf("the batch of %s orders has %s links", got, want)
	}
	if got := attributeOf(request, "holdfast.workflow_id"); got != attributeOf(root, "holdfast.workflow_id") || !strings.HasPrefix(got, "batch/") {
		t.Errorf("the request tells of the workflow %q", got)
	}
	for _, step := range []string{"Reserve", "Open", "Charge", "Conclude"} {
		if path, want := tr.path(tr.one(t, step)), " > RunActivity:PlaceBatch > "+step; !strings.HasSuffix(path, want) {
			t.Errorf("%s is at %s", step, path)
		}
	}
	tr.wantBelow(t, "Reserve", "redis pipeline")
	tr.wantBelow(t, "Charge", "payment POST")
	tr.wantBelow(t, "Conclude", "sql.tx.commit")
}

// TestAnOrderThatHasToBePatientStaysOneTrace: the provider charges and does not say so in time, which ends the fast phase.
func TestAnOrderThatHasToBePatientStaysOneTrace(t *testing.T) {
	t.Parallel()
	front, kept := openTraced(t)
	front.sell(t, "mug", 5)
	answer, err := front.traced().Place(t.Context(), "k", shop.Buy("ada-lovelace", "tok_slow", "mug", 1), 30*time.Second)
	if err != nil || answer.Status != http.StatusCreated {
		t.Fatalf("answered %d %+v, %v", answer.Status, answer.Problem, err)
	}
	tr := kept.of(t, callersTrace, requestSpan, workflowSpan, "RunActivity:Commit")
	tr.wantOneRoot(t)
	// Once as a local activity, which times out, and once as an ordinary one.
	if starts, runs := tr.named("StartActivity:Charge"), tr.named("RunActivity:Charge"); len(starts) != 2 || len(runs) < 2 {
		t.Errorf("the charge was begun %d times and tried %d times, want twice:\n%s", len(starts), len(runs), tr)
	}
	for _, charge := range tr.named("RunActivity:Charge") {
		if path, want := tr.path(charge), workflowSpan+" > StartActivity:Charge > RunActivity:Charge"; !strings.HasSuffix(path, want) {
			t.Errorf("a try of the charge is at %s", path)
		}
	}
	kept.wantDiscreet(t, "ada-lovelace", "tok_slow")
}

// TestOrdersDoNotWaitForACollectorThatIsDown: each is answered within the time that a POST waits by itself.
func TestOrdersDoNotWaitForACollectorThatIsDown(t *testing.T) {
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", free)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	for name, addr := range map[string]string{"refuses": "127.0.0.1:1", "is silent": silent.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+addr)
			var log lines
			front := open(t, func(c *stack.Config) { c.Log = log.logger() })
			front.sell(t, "mug", 1000)
			for i := range 100 { // some 5000 spans, twice the queue
				answer, err := front.Place(t.Context(), fmt.Sprint(i), shop.Buy("ada-lovelace", "tok_ok", "mug", 1), 5*time.Second)
				if err != nil || answer.Status != http.StatusCreated {
					t.Fatalf("order %d: answered %d %+v, %v", i, answer.Status, answer.Problem, err)
				}
			}
			front.quiet(t)
			if err := front.Stop(); err != nil {
				t.Error(err)
			}
			if told := slices.ContainsFunc(log.all(t), func(l map[string]any) bool { return l["msg"] == "spans are lost" }); !told {
				t.Error("nobody was told that spans are lost")
			}
		})
	}
}

// TestProgramsTellACollectorUnderTheirNames: api and worker as processes, as OTEL_* say.
func TestProgramsTellACollectorUnderTheirNames(t *testing.T) {
	t.Parallel()
	var got lines
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(&got, r.Body)
	}))
	t.Cleanup(collector.Close)
	floor := openFloor(t, func(c *stack.Config) {
		c.Settings = map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "OTEL_BSP_SCHEDULE_DELAY": "50"} // ms
	})
	floor.hire(t)
	floor.sell(t, "mug", 1)
	if answer := floor.traced().buy(t, "k", shop.Buy("ada-lovelace", "tok_ok", "mug", 1)); answer.Status != http.StatusCreated {
		t.Fatalf("answered %d %+v", answer.Status, answer.Problem)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, want := range []string{"holdfast-api", "holdfast-worker", requestSpan, "RunActivity:Commit"} {
		for !got.has(want) {
			if pause(ctx, 10*time.Millisecond); ctx.Err() != nil {
				t.Fatalf("the collector hears nothing of %s", want)
			}
		}
	}
	got.wantNone(t, "ada-lovelace", "tok_ok")
}
