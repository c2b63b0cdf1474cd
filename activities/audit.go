package activities

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"holdfast/order"
)

// Auditor proves the promises from the data, and changes nothing.
type Auditor interface {
	// Audit looks at everything once. An error means that it could not look, and that nothing is proven either way.
	Audit(ctx context.Context) (order.Audited, error)
}

// RunAudit is the activity that audits once. Changing the name breaks running workflows.
const RunAudit = "RunAudit"

// auditBeat is how often an audit says that it goes on.
const auditBeat = 5 * time.Second

// Audits are this activity on its port. Both fields are required.
type Audits struct {
	Auditor Auditor
	Metrics *AuditMetrics
}

// Register makes the activity known to a worker.
func (a *Audits) Register(r worker.ActivityRegistry) {
	r.RegisterActivityWithOptions(a.run, activity.RegisterOptions{Name: RunAudit})
}

// run may be repeated: it only reads. A worker that is being stopped leaves it to another.
func (a *Audits) run(ctx context.Context) (order.Audited, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		ticker := time.NewTicker(auditBeat)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				activity.RecordHeartbeat(ctx)
			case <-activity.GetWorkerStopChannel(ctx):
				cancel()
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	found, err := a.Auditor.Audit(ctx)
	if err != nil {
		return found, temporalError(order.AsFailure(err))
	}
	a.Metrics.note(found)
	return found, nil
}

// AuditMetrics are the series that audits own.
type AuditMetrics struct {
	violations *prometheus.GaugeVec
	last       prometheus.Gauge
}

// omittedKind counts with the violations what was not looked at twice.
const omittedKind = "omitted"

// NewAuditMetrics registers the series with reg.
func NewAuditMetrics(reg prometheus.Registerer) *AuditMetrics {
	m := &AuditMetrics{
		violations: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_audit_violations",
			Help: "Broken promises by kind, as the audit lists them; omitted: suspicions beyond those. As of the last audit that this worker ended: " +
				"of several workers, believe the one with the newest holdfast_audit_last_timestamp_seconds.",
		}, []string{"kind"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_audit_last_timestamp_seconds",
			Help: "When this worker last ended an audit that looked at everything or found something; 0 if it never did.",
		}),
	}
	reg.MustRegister(m.violations, m.last)
	return m
}

// note shows what an audit found. One that did not get through and found nothing says nothing.
func (m *AuditMetrics) note(found order.Audited) {
	if !found.Complete && found.Found() == 0 {
		return
	}
	for _, v := range found.Violations {
		m.violations.WithLabelValues(v.Kind).Set(float64(v.Count))
	}
	m.violations.WithLabelValues(omittedKind).Set(float64(found.Omitted))
	m.last.SetToCurrentTime()
}
