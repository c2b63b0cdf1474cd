package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
	"holdfast/workflows"
)

// attic has orders to purge, and deletes at most a few at a time.
type attic struct {
	orders int64
	fails  int // so many calls
	before time.Time
	calls  int
}

func (a *attic) Purge(_ context.Context, before time.Time, limit int) (order.Purged, error) {
	a.calls++
	if a.before = before; a.calls <= a.fails {
		return order.Purged{}, errors.New("connection refused")
	}
	n := min(a.orders, int64(limit))
	a.orders -= n
	return order.Purged{Orders: n, Lines: 2 * n, Done: n < int64(limit)}, nil
}

func (a *attic) run(t *testing.T, retention time.Duration) (order.Purged, *prometheus.Registry) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.RegisterWorkflowWithOptions(workflows.PurgeOrders, workflow.RegisterOptions{Name: workflows.PurgeOrdersName})
	registry := prometheus.NewRegistry()
	(&activities.Purges{Purger: a, Retention: retention, Metrics: activities.NewPurgeMetrics(registry)}).Register(env)
	env.ExecuteWorkflow(workflows.PurgeOrdersName)
	var purged order.Purged
	if err := env.GetWorkflowResult(&purged); err != nil {
		t.Fatal(err)
	}
	return purged, registry
}

func TestAPurgeDeletesUntilNothingIsLeftAndCountsIt(t *testing.T) {
	t.Parallel()
	a := &attic{orders: 501, fails: 2}
	purged, registry := a.run(t, 24*time.Hour)
	if purged.Orders != 501 || a.orders != 0 || !purged.Done || purged.Lines != 1002 {
		t.Errorf("%+v, %d left", purged, a.orders)
	}
	if age := time.Since(a.before); age < 24*time.Hour || age > 25*time.Hour {
		t.Errorf("deleted what is older than %s", age)
	}
	metrics(t, registry, `
# HELP holdfast_rows_deleted_total Rows that were deleted from the order database, by table and reason. The table deletions keeps the same for each day.
# TYPE holdfast_rows_deleted_total counter
holdfast_rows_deleted_total{reason="retention",table="handoff_orders"} 0
holdfast_rows_deleted_total{reason="retention",table="order_lines"} 1002
holdfast_rows_deleted_total{reason="retention",table="orders"} 501
`, "holdfast_rows_deleted_total")
}

func TestWithoutARetentionNothingIsDeleted(t *testing.T) {
	t.Parallel()
	a := &attic{orders: 10}
	if purged, _ := a.run(t, 0); purged.Orders != 0 || !purged.Done || a.calls != 0 {
		t.Errorf("%+v after %d calls", purged, a.calls)
	}
}
