package e2e_test

import (
	"strconv"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"holdfast/devstack/stack"
	"holdfast/internal/testorders"
	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/orderdb"
	"holdfast/workflows"
)

// dayVariable is how many orders TestADayOfManyOrders hands off, for a day that takes minutes.
const dayVariable = "HOLDFAST_E2E_DAY_ORDERS"

// TestADayOfManyOrders is handed off by several runs of bounded histories, one after the other, and a worker is killed on the way.
func TestADayOfManyOrders(t *testing.T) {
	t.Parallel()
	const pages, longest = 600, 5000
	orders := number(t, dayVariable, pages)
	f := openFloor(t, func(cfg *stack.Config) {
		cfg.MySQL = testserver.MariaDBDatabase(t)
		cfg.Settings = map[string]string{"HOLDFAST_HANDOFF_PAGE": strconv.Itoa(min(500, orders/pages))}
	})
	f.sell(t, "poster", int64(orders))
	db, err := orderdb.OpenMySQL(f.Env()["HOLDFAST_MYSQL_DSN"], 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Disconnect() }()
	ids := testorders.Confirmed(t, db.Pool(), "poster", orders, 0)

	worker, began := f.hire(t), time.Now()
	temporal := f.temporal(t)
	handOff, err := temporal.ExecuteWorkflow(t.Context(), workflows.HandOffOptions(false, time.Now(), "holdfast"), workflows.HandOffName, workflows.HandOffInput{})
	if err != nil {
		t.Fatal(err)
	}
	f.untilArrived(t, orders/10)
	worker.Kill()
	f.hire(t)
	var done order.HandOff
	if err := handOff.Get(t.Context(), &done); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d orders in %s", done.HandedOff, time.Since(began).Round(time.Millisecond))
	if done.HandedOff != orders || done.Rejected != 0 {
		t.Errorf("handed off: %+v", done)
	}
	f.wantArrived(t, ids)

	runs, err := temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowId = '" + handOff.GetID() + "'"})
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range runs.GetExecutions() {
		t.Logf("%s after %d events", run.GetStatus(), run.GetHistoryLength())
		if run.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING || run.GetHistoryLength() > longest {
			t.Errorf("a run has %d events and is %s", run.GetHistoryLength(), run.GetStatus())
		}
	}
	if len(runs.GetExecutions()) < 2 {
		t.Errorf("it took %d runs, want more", len(runs.GetExecutions()))
	}
	if found := f.auditAsScheduled(t); !found.Holds || found.Orders != orders {
		t.Errorf("the audit found %+v", found)
	}
}
