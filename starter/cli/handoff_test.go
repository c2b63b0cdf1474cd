package cli

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"holdfast/order"
	"holdfast/workflows"
)

// warehouseman answers as Temporal would, for hand-offs and their schedule. Other calls panic.
type warehouseman struct {
	reconciler

	input    workflows.HandOffInput
	asked    chan struct{} // closed once somebody asked how far the hand-off is, and had the answer to an earlier question
	queries  int
	progress order.HandOff
}

func (w *warehouseman) use(a *app) {
	a.dial = func(context.Context, client.Options) (client.Client, error) { return w, nil }
}

func (w *warehouseman) ExecuteWorkflow(ctx context.Context, o client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	input, ok := args[0].(workflows.HandOffInput)
	if !ok || workflow != workflows.HandOffName {
		panic("not HandOff")
	}
	if w.started, w.input = o, input; w.refuses != nil {
		return nil, w.refuses
	}
	return w.GetWorkflow(ctx, o.ID, "new"), nil
}

func (w *warehouseman) QueryWorkflow(_ context.Context, _, _, query string, _ ...any) (converter.EncodedValue, error) {
	if query != workflows.HandOffProgress {
		panic("the query " + query)
	}
	if w.queries++; w.queries == 2 {
		close(w.asked)
	}
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(w.progress)
	return client.NewValue(payloads), err
}

// someHandOff is one of which the warehouse has some, does not take one, and refuses a page.
var someHandOff = order.HandOff{
	Cutoff: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), Pages: 3, Orders: 12, HandedOff: 8, Rejected: 1,
	Refused: []order.PageKey{{HandOff: "h", Page: 2}}, Failure: "no such depot",
}

func TestHandOff(t *testing.T) {
	t.Parallel()
	server := &warehouseman{reconciler: reconciler{temporalServer: temporalServer{result: gives(someHandOff)}}}
	got := try{change: server.use, environ: []string{"HOLDFAST_TASK_QUEUE=q"}}.run(t, "handoff", "--cutoff", "2026-03-01T17:00:00+09:00")
	got.check(t, 1, `Dry run        no
Cutoff         2026-03-01T08:00:00Z
Pages          3
Orders         12
Handed off     8
Rejected       1
Refused pages  1
Workflow       `+server.started.ID+"\n",
		"1 orders are not taken by the warehouse and ask for a person: order list --attention\n"+
			"The warehouse REFUSES 1 pages, the first because of: no such depot. The next hand-off tries them again.\n")
	same(t, "task queue", server.started.TaskQueue, "q")
	if server.input.DryRun || !server.input.Cutoff.Equal(someHandOff.Cutoff) || !server.closed {
		t.Errorf("started with %+v, closed %t", server.input, server.closed)
	}
}

func TestHandOffInJSON(t *testing.T) {
	t.Parallel()
	server := &warehouseman{reconciler: reconciler{temporalServer: temporalServer{result: gives(order.HandOff{DryRun: true, Orders: 5})}}}
	try{change: server.use}.run(t, "handoff", "--dry-run", "--task-queue", "other", "-o", "json").check(t, 0,
		`{"hand_off":"","cutoff":"0001-01-01T00:00:00Z","dry_run":true,"pages":0,"orders":5,"handed_off":0,"rejected":0,"refused":[],"failure":"",`+
			`"workflow_id":"`+server.started.ID+`"}`+"\n", "")
	same(t, "task queue", server.started.TaskQueue, "other")
	if !server.input.DryRun || !server.input.Cutoff.IsZero() {
		t.Errorf("started with %+v", server.input)
	}
}

func TestHandOffIsWatched(t *testing.T) {
	t.Parallel()
	server := &warehouseman{asked: make(chan struct{}), progress: someHandOff}
	server.result = func(into any) error {
		<-server.asked
		return gives(order.HandOff{})(into)
	}
	got := try{change: server.use}.run(t, "handoff", "--watch")
	if got.code != 0 {
		t.Errorf("exit code %d", got.code)
	}
	contains(t, "stderr", got.err, "3 pages, 8 orders handed off, 1 rejected, 1 pages refused")
}

func TestHandOffFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server temporalServer
		args   []string
		code   int
		words  []string
	}{
		"not started":     {temporalServer{refuses: errors.New("no such namespace")}, nil, 1, []string{"start the hand-off: no such namespace"}},
		"terminated":      {temporalServer{result: fails(errors.New("terminated"))}, nil, 1, []string{": terminated"}},
		"no worker":       {temporalServer{}, []string{"--timeout", "10ms"}, 1, []string{"has not ended within 10ms", `task queue "holdfast"`}},
		"no time":         {temporalServer{}, []string{"--cutoff", "five o'clock"}, 2, []string{"is not a time such as"}},
		"an empty cutoff": {temporalServer{}, []string{"--cutoff", ""}, 2, []string{"is not a time such as"}},
		"a cutoff to come": {
			temporalServer{}, []string{"--cutoff", time.Now().Add(time.Hour).Format(time.RFC3339)}, 2, []string{"is still to come"},
		},
		"usage": {temporalServer{}, []string{"now"}, 2, []string{"takes no arguments"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &warehouseman{reconciler: reconciler{temporalServer: test.server}}
			got := try{change: server.use}.run(t, append([]string{"handoff"}, test.args...)...)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d", got.code, test.code)
			}
			same(t, "stdout", got.out, "")
			contains(t, "stderr", got.err, test.words...)
		})
	}
}
