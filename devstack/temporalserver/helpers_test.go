package temporalserver_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"holdfast/devstack/temporalserver"
)

const (
	namespace = "shop"
	queue     = "tests"
	// patience bounds every wait of a test: several servers may be starting on two cores.
	patience = 30 * time.Second
)

var orderID = temporal.NewSearchAttributeKeyKeyword("OrderId")

func echoWorkflow(_ workflow.Context, in string) (string, error) { return in, nil }

// waitWorkflow ends with what the signal "go on" carries.
func waitWorkflow(ctx workflow.Context) (out string, err error) {
	workflow.GetSignalChannel(ctx, "go on").Receive(ctx, &out)
	return out, nil
}

func config(dir string) temporalserver.Config {
	return temporalserver.Config{
		Dir:              dir,
		Frontend:         "127.0.0.1:0",
		UI:               "127.0.0.1:0",
		Namespace:        namespace,
		SearchAttributes: map[string]enums.IndexedValueType{"OrderId": enums.INDEXED_VALUE_TYPE_KEYWORD},
	}
}

// start leaves the server's errors on stderr: on a machine that is overloaded it has some.
func start(tb testing.TB, cfg temporalserver.Config) *temporalserver.Server {
	tb.Helper()
	srv, err := temporalserver.Start(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(srv.Stop)
	return srv
}

func dial(tb testing.TB, srv *temporalserver.Server) client.Client {
	tb.Helper()
	c, err := client.DialContext(tb.Context(), client.Options{
		HostPort:  srv.Addr(),
		Namespace: namespace,
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		ConnectionOptions: client.ConnectionOptions{
			GrpcCompression: &client.GrpcCompressionNone{}, // costs more than loopback
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func work(t *testing.T, c client.Client) worker.Worker {
	t.Helper()
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(echoWorkflow)
	w.RegisterWorkflow(waitWorkflow)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return w
}

// finish runs a workflow to its end, which is id.
func finish(t *testing.T, c client.Client, id string) {
	t.Helper()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: queue}, echoWorkflow, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// begin starts a workflow and returns once it waits. A task still with the worker when that stops would
// only come back after its time-out of ten seconds.
func begin(t *testing.T, c client.Client, id string) {
	t.Helper()
	if _, err := c.ExecuteWorkflow(t.Context(),
		client.StartWorkflowOptions{ID: id, TaskQueue: queue}, waitWorkflow); err != nil {
		t.Fatal(err)
	}
	await(t, id+" waiting", func() bool {
		answer, err := c.DescribeWorkflowExecution(t.Context(), id, "")
		if err != nil {
			t.Fatal(err)
		}
		return answer.GetPendingWorkflowTask() == nil
	})
}

func checkFinished(t *testing.T, c client.Client, id string) {
	t.Helper()
	var got string
	if err := c.GetWorkflow(t.Context(), id, "").Get(t.Context(), &got); err != nil || got != id {
		t.Fatalf("%s: got %q, %v", id, got, err)
	}
	history := c.GetWorkflowHistory(t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		if _, err := history.Next(); err != nil {
			t.Fatalf("history of %s: %v", id, err)
		}
	}
}

func finishWaiting(t *testing.T, c client.Client, id string) {
	t.Helper()
	if err := c.SignalWorkflow(t.Context(), id, "", "go on", "went on"); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := c.GetWorkflow(t.Context(), id, "").Get(t.Context(), &got); err != nil || got != "went on" {
		t.Fatalf("%s: got %q, %v", id, got, err)
	}
}

// awaitListed waits until the query finds the workflow: visibility is written behind the workflow's back.
func awaitListed(t *testing.T, c client.Client, query, id string) {
	t.Helper()
	await(t, "list "+query, func() bool {
		answer, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		if err != nil {
			t.Fatal(err)
		}
		found := answer.GetExecutions()
		return len(found) == 1 && found[0].GetExecution().GetWorkflowId() == id
	})
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-poll.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

func contains(err error, want string) bool { return strings.Contains(err.Error(), want) }
