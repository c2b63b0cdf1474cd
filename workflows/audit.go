package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
)

// AuditOrdersName is the wire name of AuditOrders.
const AuditOrdersName = "AuditOrders"

const (
	// AuditID is the id of the schedule. Temporal adds a time to it for each run.
	AuditID = "audit-orders"
	// AuditSummary is the line that the Web UI shows of a run.
	AuditSummary = "Proves the three promises from the data"
)

const (
	// AuditTime is how long an audit may take. It reads the provider's and the warehouse's whole records once for each 500,000 orders: of ten
	// million, at 10 ms a page of 1,000, for more than an hour.
	AuditTime = 6 * time.Hour
	// auditSilence is how soon another worker takes over from one that was killed.
	auditSilence = 30 * time.Second
)

// AuditOrders audits, so that a row that somebody changed or deleted by hand is noticed without anybody asking. It changes nothing and may
// run at any time. What it found is its result, and stands in the worker's metrics.
func AuditOrders(ctx workflow.Context) (found order.Audited, err error) {
	tell(ctx, "Comparing the order database with itself, Redis, the payment provider's ledger and the warehouse.")
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    AuditTime + time.Minute,
		ScheduleToCloseTimeout: 2 * AuditTime,
		HeartbeatTimeout:       auditSilence,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: patientPause},
		Summary:                "Auditing",
	})
	if err := workflow.ExecuteActivity(ctx, activities.RunAudit).Get(ctx, &found); err != nil {
		return found, err
	}
	tell(ctx, auditInWords(found))
	return found, nil
}

func auditInWords(found order.Audited) string {
	switch {
	case found.Holds:
		return fmt.Sprintf("The promises hold. %d orders were looked at.", found.Orders)
	case found.Found() == 0:
		return fmt.Sprintf("The audit did not get through: its time ran out after %d orders.", found.Orders)
	}
	return fmt.Sprintf("The promises DO NOT HOLD. %d violations, such as: %s", found.Found(), strings.Join(found.Examples, "; "))
}
