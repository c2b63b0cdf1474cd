package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
	"holdfast/workflows"
)

// rounds is a reconciler with so many chunks of each kind, each of which finds something. It writes down where
// it was asked to go on from.
type rounds struct {
	orders, counts int
	fails          func(call int) error
	calls          []string
}

func (r *rounds) RedriveOrders(_ context.Context, p order.ReconcileProgress, beat func(order.ReconcileProgress)) (order.ReconcileProgress, error) {
	r.calls = append(r.calls, "orders after "+string(p.Orders.ID))
	p.Found = p.Found.Clone()
	p.Found.Unsettled += 10
	p.Found.AddUncarried("ord_x")
	if !p.Found.DryRun {
		p.Found.Redriven++
	}
	p.Orders.ID += "I"
	p.Orders.Done = len(p.Orders.ID) == r.orders
	return p, r.failing(p, beat)
}

func (r *rounds) CompareCounts(_ context.Context, p order.ReconcileProgress, beat func(order.ReconcileProgress)) (order.ReconcileProgress, error) {
	r.calls = append(r.calls, "counts after "+p.Counts.After)
	p.Found = p.Found.Clone()
	p.Found.SKUs += 100
	p.Found.AddDrifted(order.DriftedCount{SKU: "mug", Count: 3, Available: 1})
	if !p.Found.DryRun {
		p.Found.Healed++
	}
	p.Counts.After += "I"
	p.Counts.Done = len(p.Counts.After) == r.counts
	return p, r.failing(p, beat)
}

// failing fails after the work of this call has been put into a heartbeat.
func (r *rounds) failing(p order.ReconcileProgress, beat func(order.ReconcileProgress)) error {
	if r.fails == nil {
		return nil
	}
	err := r.fails(len(r.calls))
	if err != nil {
		beat(p)
	}
	return err
}

func reconciling(t *testing.T, r *rounds) (*testsuite.TestWorkflowEnvironment, *prometheus.Registry) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetWorkflowRunTimeout(24 * time.Hour)
	env.RegisterWorkflowWithOptions(workflows.ReconcileStock, workflow.RegisterOptions{Name: workflows.ReconcileStockName})
	registry := prometheus.NewRegistry()
	(&activities.Reconciliation{Reconciler: r, Metrics: activities.NewReconcileMetrics(registry)}).Register(env)
	return env, registry
}

func TestAReconciliationGoesChunkByChunkAndIsMeasured(t *testing.T) {
	t.Parallel()
	r := &rounds{orders: 2, counts: 3}
	env, registry := reconciling(t, r)
	env.ExecuteWorkflow(workflows.ReconcileStock, workflows.ReconcileInput{})
	var found order.Reconciliation
	if err := env.GetWorkflowResult(&found); err != nil {
		t.Fatal(err)
	}
	want := []string{"orders after ", "orders after I", "counts after ", "counts after I", "counts after II"}
	if !slices.Equal(r.calls, want) {
		t.Errorf("asked for %q, want %q", r.calls, want)
	}
	if found.Unsettled != 20 || found.Redriven != 2 || found.SKUs != 300 || found.Over != (order.Drift{SKUs: 3, Units: 6}) || found.Healed != 3 {
		t.Errorf("found %+v", found)
	}
	metrics(t, registry, `
# HELP holdfast_orders_redriven_total Unsettled orders whose workflow was gone and was started again.
# TYPE holdfast_orders_redriven_total counter
holdfast_orders_redriven_total 2
# HELP holdfast_stock_counts_healed_total Counts in Redis that had drifted and were deleted.
# TYPE holdfast_stock_counts_healed_total counter
holdfast_stock_counts_healed_total 3
`, "holdfast_orders_redriven_total", "holdfast_stock_counts_healed_total")
	if n, err := testutil.GatherAndCount(registry, "holdfast_stock_drift_units", "holdfast_stock_drifted_skus"); err != nil || n != 4 {
		t.Errorf("%d series of drift, %v", n, err)
	}
}

func metrics(t *testing.T, registry *prometheus.Registry, want string, names ...string) {
	t.Helper()
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

func TestADryRunIsNotTakenForAReconciliation(t *testing.T) {
	t.Parallel()
	env, registry := reconciling(t, &rounds{orders: 1, counts: 1})
	env.ExecuteWorkflow(workflows.ReconcileStock, workflows.ReconcileInput{DryRun: true})
	var found order.Reconciliation
	if err := env.GetWorkflowResult(&found); err != nil {
		t.Fatal(err)
	}
	if !found.DryRun || found.Uncarried != 1 || found.Redriven != 0 || found.Over.Units != 2 || found.Healed != 0 {
		t.Errorf("found %+v", found)
	}
	metrics(t, registry, `
# HELP holdfast_reconcile_last_success_timestamp_seconds When this worker last ended a complete reconciliation that was no dry run; 0 if it never did.
# TYPE holdfast_reconcile_last_success_timestamp_seconds gauge
holdfast_reconcile_last_success_timestamp_seconds 0
`, "holdfast_reconcile_last_success_timestamp_seconds")
}

// TestALongReconciliationContinuesAsNew: each run takes one chunk, and the tallies go along.
func TestALongReconciliationContinuesAsNew(t *testing.T) {
	t.Parallel()
	r := &rounds{orders: 2, counts: 2}
	in := workflows.ReconcileInput{}
	for run := 1; ; run++ {
		env, _ := reconciling(t, r)
		env.SetContinueAsNewSuggested(true)
		env.ExecuteWorkflow(workflows.ReconcileStock, in)
		next, ok := errors.AsType[*workflow.ContinueAsNewError](env.GetWorkflowError())
		if !ok {
			var found order.Reconciliation
			if err := env.GetWorkflowResult(&found); err != nil {
				t.Fatal(err)
			}
			if run != 5 || found.Unsettled != 20 || found.SKUs != 200 || found.Redriven != 2 {
				t.Errorf("run %d found %+v", run, found)
			}
			return
		}
		in = workflows.ReconcileInput{}
		if err := converter.GetDefaultDataConverter().FromPayloads(next.Input, &in); err != nil {
			t.Fatal(err)
		}
		if next.WorkflowType.Name != workflows.ReconcileStockName || len(r.calls) != run {
			t.Fatalf("%s goes on after %q", next.WorkflowType.Name, r.calls)
		}
	}
}

func TestAChunkThatFailsGoesOnFromItsLastHeartbeat(t *testing.T) {
	t.Parallel()
	r := &rounds{orders: 3, counts: 2}
	r.fails = func(call int) error {
		if call == 1 || call == 4 {
			return errors.New("Temporal is away")
		}
		return nil
	}
	env, registry := reconciling(t, r)
	env.ExecuteWorkflow(workflows.ReconcileStock, workflows.ReconcileInput{})
	var found order.Reconciliation
	if err := env.GetWorkflowResult(&found); err != nil {
		t.Fatal(err)
	}
	want := []string{"orders after ", "orders after I", "orders after II", "counts after ", "counts after I"}
	if !slices.Equal(r.calls, want) || found.Redriven != 3 || found.Healed != 2 {
		t.Errorf("asked for %q and found %+v", r.calls, found)
	}
	metrics(t, registry, `
# HELP holdfast_orders_redriven_total Unsettled orders whose workflow was gone and was started again.
# TYPE holdfast_orders_redriven_total counter
holdfast_orders_redriven_total 3
`, "holdfast_orders_redriven_total")
}

func TestAReconciliationThatFailsForLongMakesRoomForTheNext(t *testing.T) {
	t.Parallel()
	r := &rounds{orders: 1, counts: 1, fails: func(int) error { return errors.New("the order database is away") }}
	env, _ := reconciling(t, r)
	env.ExecuteWorkflow(workflows.ReconcileStock, workflows.ReconcileInput{})
	failure, ok := errors.AsType[*temporal.ApplicationError](env.GetWorkflowError())
	if !ok || failure.Message() != "the order database is away" || len(r.calls) < 3 {
		t.Errorf("after %d tries %v", len(r.calls), env.GetWorkflowError())
	}
}

// An order that cannot be asked about must not keep the counts wrong.
func TestCountsAreComparedAlthoughOrdersCannotBeReDriven(t *testing.T) {
	t.Parallel()
	r := &rounds{orders: 1, counts: 2}
	r.fails = func(int) error {
		if strings.HasPrefix(r.calls[len(r.calls)-1], "orders") {
			return errors.New("Temporal does not answer")
		}
		return nil
	}
	env, _ := reconciling(t, r)
	env.ExecuteWorkflow(workflows.ReconcileStock, workflows.ReconcileInput{})
	if env.GetWorkflowError() == nil {
		t.Error("the run is taken for a whole one")
	}
	if last := r.calls[len(r.calls)-1]; last != "counts after I" {
		t.Errorf("the last call was %q", last)
	}
}

func TestHowRunsAndRedrivesAreStarted(t *testing.T) {
	t.Parallel()
	o := newOrder(t)
	redrive := workflows.RedriveOptions(o, "q")
	if redrive.ID != workflows.WorkflowID(o.ID) || redrive.TaskQueue != "q" || redrive.EnableEagerStart ||
		redrive.WorkflowIDReusePolicy != enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE || !redrive.WorkflowExecutionErrorWhenAlreadyStarted {
		t.Errorf("re-driven with %+v", redrive)
	}
	ids := fmt.Sprint(workflows.ReconcileOptions(false, "q").ID, workflows.ReconcileOptions(true, "q").ID)
	if ids != workflows.ReconcileID+workflows.ReconcileDryRunID {
		t.Errorf("run as %s", ids)
	}
}
