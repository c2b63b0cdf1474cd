package cli

import (
	"context"
	"errors"
	"testing"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"holdfast/order"
	"holdfast/workflows"
)

const running = enums.WORKFLOW_EXECUTION_STATUS_RUNNING

// reconciler answers as Temporal would, for reconciliations and their schedule. Other calls panic.
type reconciler struct {
	temporalServer

	scheduled string // the run of the schedule, "" for none
	status    enums.WorkflowExecutionStatus
	there     bool // a run by a person is under way
	input     workflows.ReconcileInput
	waitedFor string
}

func (r *reconciler) use(a *app) {
	a.dial = func(context.Context, client.Options) (client.Client, error) { return r, nil }
}

func (r *reconciler) ScheduleClient() client.ScheduleClient {
	return schedules{id: workflows.ReconcileID, scheduled: r.scheduled}
}

// schedules are the one schedule that there is, with its run, or none at all.
type schedules struct {
	client.ScheduleClient
	client.ScheduleHandle

	id        string
	scheduled string
}

func (s schedules) GetHandle(_ context.Context, id string) client.ScheduleHandle {
	if id != s.id {
		panic("the schedule " + id)
	}
	return s
}

func (s schedules) Describe(context.Context) (*client.ScheduleDescription, error) {
	if s.scheduled == "" {
		return nil, serviceerror.NewNotFound("no schedule")
	}
	return &client.ScheduleDescription{Info: client.ScheduleInfo{
		RunningWorkflows: []client.ScheduleWorkflowExecution{{WorkflowID: s.scheduled}},
	}}, nil
}

func (r *reconciler) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Status: r.status, Execution: &common.WorkflowExecution{WorkflowId: id, RunId: "run-7"},
	}}, nil
}

func (r *reconciler) ExecuteWorkflow(ctx context.Context, o client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	input, ok := args[0].(workflows.ReconcileInput)
	if !ok || workflow != workflows.ReconcileStockName || !o.WorkflowExecutionErrorWhenAlreadyStarted {
		panic("not ReconcileStock, or one that hides whether it was there")
	}
	r.started, r.input = o, input
	switch {
	case r.refuses != nil:
		return nil, r.refuses
	case r.there:
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", "run-1")
	}
	return r.GetWorkflow(ctx, o.ID, "new"), nil
}

func (r *reconciler) GetWorkflow(_ context.Context, id, runID string) client.WorkflowRun {
	r.waitedFor = id + " " + runID
	return workflowRun{id: id, runID: runID, result: r.result}
}

var drift = order.Reconciliation{
	SKUs: 1000, Compared: 90, Over: order.Drift{SKUs: 1, Units: 2}, Under: order.Drift{SKUs: 2, Units: 7}, Healed: 3,
	Drifted:   []order.DriftedCount{{SKU: "mug", Count: 9, Available: 7}},
	Unsettled: 5, Carried: 3, Uncarried: 2, Redriven: 1, UncarriedIDs: []order.ID{orderID},
	Failures: 1, FailureWords: []string{"ord_x: its row is gone"}, Notes: []string{"a note"},
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	server := &reconciler{temporalServer: temporalServer{result: gives(drift)}}
	try{change: server.use, environ: []string{"HOLDFAST_TASK_QUEUE=q"}}.run(t, "reconcile").check(t, 0, `Dry run                no
Unsettled orders       5
Carried by a workflow  3
Carried by nobody      2
Re-driven              1
SKUs                   1000, of which 90 are counted in Redis
Offered, not there     1 SKUs, 2 units
There, withheld        2 SKUs, 7 units
Counts healed          3
Failures               1
Failure                ord_x: its row is gone
Note                   a note
Workflow               reconcile-stock

DRIFTED SKU  IN REDIS  AVAILABLE
mug          9         7

ORDER CARRIED BY NOBODY
`+orderID+"\n",
		"DRIFT: 3 counts were off, of which 3 are healed; 2 orders were carried by nobody, of which 1 are re-driven.\n"+
			"1 could not be helped; the result says why.\n")
	same(t, "task queue", server.started.TaskQueue, "q")
	if server.input.DryRun || !server.closed {
		t.Errorf("started with %+v, closed %t", server.input, server.closed)
	}
}

func TestReconcileInJSON(t *testing.T) {
	t.Parallel()
	server := &reconciler{temporalServer: temporalServer{result: gives(order.Reconciliation{DryRun: true, Uncarried: 1})}}
	try{change: server.use}.run(t, "reconcile", "--dry-run", "--task-queue", "other", "-o", "json").check(t, 0,
		`{"dry_run":true,"skus":0,"counts_compared":0,"over":{"skus":0,"units":0},"under":{"skus":0,"units":0},"healed":0,"drifted":[],`+
			`"unsettled":0,"carried":0,"uncarried":1,"redriven":0,"uncarried_ids":[],"failures":0,"failure_words":[],"notes":[],`+
			`"workflow_id":"reconcile-stock-dry-run"}`+"\n",
		"DRIFT: 0 counts are off and 1 orders are carried by nobody. This was a dry run: nothing was changed.\n")
	same(t, "task queue", server.started.TaskQueue, "other")
	if !server.input.DryRun {
		t.Error("it was no dry run")
	}
}

// TestReconcileJoins shows whose run is waited for.
func TestReconcileJoins(t *testing.T) {
	t.Parallel()
	const ended = enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	for name, test := range map[string]struct {
		server *reconciler
		args   []string
		waited string
		words  string
	}{
		"nobody's":              {&reconciler{}, nil, "reconcile-stock new", ""},
		"the schedule's":        {&reconciler{scheduled: "reconcile-stock-12:00", status: running}, nil, "reconcile-stock-12:00 run-7", "A run by the schedule is under way"},
		"one that has ended":    {&reconciler{scheduled: "reconcile-stock-12:00", status: ended}, nil, "reconcile-stock new", ""},
		"another person's":      {&reconciler{there: true}, nil, "reconcile-stock run-1", "Another run is under way"},
		"a dry one beside":      {&reconciler{scheduled: "reconcile-stock-12:00", status: running}, []string{"--dry-run"}, "reconcile-stock-dry-run new", ""},
		"another's dry one, so": {&reconciler{there: true}, []string{"--dry-run"}, "reconcile-stock-dry-run run-1", "Another run is under way"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.server.result = gives(order.Reconciliation{})
			got := try{change: test.server.use}.run(t, append([]string{"reconcile", "-o", "json"}, test.args...)...)
			if got.code != 0 {
				t.Errorf("exit code %d", got.code)
			}
			same(t, "waited for", test.server.waitedFor, test.waited)
			if test.words == "" {
				same(t, "stderr", got.err, "")
			}
			contains(t, "stderr", got.err, test.words)
		})
	}
}

func TestReconcileFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server temporalServer
		args   []string
		code   int
		words  []string
	}{
		"not started": {temporalServer{refuses: errors.New("no such namespace")}, nil, 1, []string{"start the reconciliation: no such namespace"}},
		"terminated":  {temporalServer{result: fails(errors.New("terminated"))}, nil, 1, []string{"reconcile-stock: terminated"}},
		"no worker":   {temporalServer{}, []string{"--timeout", "10ms"}, 1, []string{"has not ended within 10ms", `task queue "holdfast"`}},
		"usage":       {temporalServer{}, []string{"now"}, 2, []string{"takes no arguments"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &reconciler{temporalServer: test.server}
			got := try{change: server.use}.run(t, append([]string{"reconcile"}, test.args...)...)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d", got.code, test.code)
			}
			same(t, "stdout", got.out, "")
			contains(t, "stderr", got.err, test.words...)
		})
	}
}
