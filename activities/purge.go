package activities

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"holdfast/order"
)

// Purger deletes old orders from the order database.
type Purger interface {
	// Purge deletes up to limit orders that have reached a final status, are settled, and were placed and settled before the given
	// time, in one transaction. What their id stands for, and what was charged, stays on record. An error means that its effect is
	// unknown, and that it may be repeated.
	Purge(ctx context.Context, before time.Time, limit int) (order.Purged, error)
}

// PurgeChunk is the activity that deletes old orders for a while. Changing the name breaks running workflows.
const PurgeChunk = "PurgeChunk"

const (
	// purgeBatch is how many orders are deleted in one transaction, so that it is short.
	purgeBatch = 200
	// purgeWhile is how long a chunk goes on.
	purgeWhile = 30 * time.Second
)

// Purges are these activities on their port. All fields are required.
type Purges struct {
	Purger Purger
	// Retention is how old an order gets before it is deleted; 0 keeps all.
	Retention time.Duration
	Metrics   *PurgeMetrics
}

// Register makes the activity known to a worker.
func (p *Purges) Register(r worker.ActivityRegistry) {
	r.RegisterActivityWithOptions(p.chunk, activity.RegisterOptions{Name: PurgeChunk})
}

// chunk may be repeated: what is deleted is gone. What a try deleted that failed later is counted in the order database all the same.
func (p *Purges) chunk(ctx context.Context) (purged order.Purged, err error) {
	if p.Retention == 0 {
		return order.Purged{Done: true}, nil
	}
	started := time.Now()
	for !purged.Done && time.Since(started) < purgeWhile && !stopping(ctx) {
		activity.RecordHeartbeat(ctx)
		began := time.Now()
		batch, err := p.Purger.Purge(ctx, began.Add(-p.Retention), purgeBatch)
		if err != nil {
			return purged, temporalError(order.AsFailure(err))
		}
		p.Metrics.count(batch)
		purged.Add(batch)
		rest(ctx, time.Since(began))
	}
	return purged, nil
}

// stopping tells whether the worker is being stopped, or the activity is not wanted any more.
func stopping(ctx context.Context) bool {
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		return true
	default:
		return ctx.Err() != nil
	}
}

// rest leaves the order database to others for as long as it was worked on.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-activity.GetWorkerStopChannel(ctx):
	case <-timer.C:
	}
}

// PurgeMetrics are the series that purges own.
type PurgeMetrics struct{ rows *prometheus.CounterVec }

// NewPurgeMetrics registers the series with reg.
func NewPurgeMetrics(reg prometheus.Registerer) *PurgeMetrics {
	m := &PurgeMetrics{rows: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_rows_deleted_total",
		Help: "Rows that were deleted from the order database, by table and reason. The table deletions keeps the same for each day.",
	}, []string{"table", "reason"})}
	reg.MustRegister(m.rows)
	m.count(order.Purged{}) // so that increase() sees the first deletions
	return m
}

func (m *PurgeMetrics) count(p order.Purged) {
	for table, n := range map[string]int64{"orders": p.Orders, "order_lines": p.Lines, "handoff_orders": p.Assignments} {
		m.rows.WithLabelValues(table, "retention").Add(float64(n))
	}
}
