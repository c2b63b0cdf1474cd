package activities

import (
	"context"
	"sync"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"holdfast/order"
)

// Reconciler looks for what nobody is at work on, and puts it right. Each call takes a bounded chunk and answers
// how far it came; beat is told now and then that it goes on, and from where a repeat could. An error means
// that the same call may be repeated.
type Reconciler interface {
	// RedriveOrders has unsettled orders carried whose workflow is gone.
	RedriveOrders(ctx context.Context, p order.ReconcileProgress, beat func(order.ReconcileProgress)) (order.ReconcileProgress, error)
	// CompareCounts compares the counts in Redis with the order database and deletes those that drifted.
	CompareCounts(ctx context.Context, p order.ReconcileProgress, beat func(order.ReconcileProgress)) (order.ReconcileProgress, error)
}

// The activities of a reconciliation. They are no steps: they belong to no order. Changing a name breaks running
// workflows.
const (
	RedriveOrders = "RedriveOrders"
	CompareCounts = "CompareCounts"
	// NoteReconciliation puts the result of a complete run into the worker's metrics.
	NoteReconciliation = "NoteReconciliation"
)

// Reconciliation are these activities on their port. Both fields are required.
type Reconciliation struct {
	Reconciler Reconciler
	Metrics    *ReconcileMetrics
}

// Register makes the activities known to a worker.
func (r *Reconciliation) Register(registry worker.ActivityRegistry) {
	registry.RegisterActivityWithOptions(r.chunk(r.Reconciler.RedriveOrders), activity.RegisterOptions{Name: RedriveOrders})
	registry.RegisterActivityWithOptions(r.chunk(r.Reconciler.CompareCounts), activity.RegisterOptions{Name: CompareCounts})
	registry.RegisterActivityWithOptions(r.note, activity.RegisterOptions{Name: NoteReconciliation})
}

// chunk makes an activity that goes on where its last heartbeat was, and that a worker which is being stopped
// leaves to another at once. A worker that is killed leaves what it did since its last heartbeat to be done
// again, which is harmless, and missing from the tallies.
func (r *Reconciliation) chunk(
	run func(context.Context, order.ReconcileProgress, func(order.ReconcileProgress)) (order.ReconcileProgress, error),
) func(context.Context, order.ReconcileProgress) (order.ReconcileProgress, error) {
	return func(ctx context.Context, p order.ReconcileProgress) (order.ReconcileProgress, error) {
		if activity.HasHeartbeatDetails(ctx) {
			var last order.ReconcileProgress
			if err := activity.GetHeartbeatDetails(ctx, &last); err == nil { // else it begins again
				p = last
			}
		}
		stopping, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-activity.GetWorkerStopChannel(ctx):
				cancel()
			case <-stopping.Done():
			}
		}()
		var mu sync.Mutex
		counted := p.Found
		beat := func(now order.ReconcileProgress) {
			mu.Lock()
			defer mu.Unlock()
			r.Metrics.count(counted, now.Found)
			counted = now.Found
			activity.RecordHeartbeat(ctx, now)
		}
		done, err := run(stopping, p, beat)
		if err != nil {
			return done, temporalError(order.AsFailure(err))
		}
		beat(done)
		return done, nil
	}
}

func (r *Reconciliation) note(_ context.Context, found order.Reconciliation) error {
	r.Metrics.note(found)
	return nil
}
