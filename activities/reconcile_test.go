package activities_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"holdfast/activities"
	"holdfast/order"
)

// patient is a reconciler that goes on until it is told to stop.
type patient struct {
	activities.Reconciler // others are not called

	began chan order.ReconcileProgress
}

func (p patient) CompareCounts(ctx context.Context, from order.ReconcileProgress, beat func(order.ReconcileProgress)) (order.ReconcileProgress, error) {
	p.began <- from
	from.Counts.After = "mug"
	beat(from)
	<-ctx.Done()
	return from, ctx.Err()
}

func (p patient) RedriveOrders(context.Context, order.ReconcileProgress, func(order.ReconcileProgress)) (order.ReconcileProgress, error) {
	panic("not asked for")
}

func TestAWorkerThatStopsLeavesTheChunkToAnother(t *testing.T) {
	t.Parallel()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	stop := make(chan struct{})
	env.SetWorkerStopChannel(stop)
	env.SetTestTimeout(10 * time.Second)
	env.SetHeartbeatDetails(order.ReconcileProgress{Counts: order.CountsCursor{After: "hat"}})
	p := patient{began: make(chan order.ReconcileProgress, 1)}
	(&activities.Reconciliation{
		Reconciler: p, Metrics: activities.NewReconcileMetrics(prometheus.NewRegistry()),
	}).Register(env)
	ended := make(chan error, 1)
	go func() {
		_, err := env.ExecuteActivity(activities.CompareCounts, order.ReconcileProgress{})
		ended <- err
	}()
	if from := <-p.began; from.Counts.After != "hat" {
		t.Errorf("began after %q, the last heartbeat was after hat", from.Counts.After)
	}
	close(stop)
	wantClass(t, <-ended, order.Unknown)
}
