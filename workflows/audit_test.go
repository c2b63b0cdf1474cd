package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"holdfast/activities"
	"holdfast/order"
	"holdfast/workflows"
)

// inspector finds what it is told to, after a few tries in which it cannot look.
type inspector struct {
	found order.Audited
	fails int
	calls int
}

func (i *inspector) Audit(context.Context) (order.Audited, error) {
	if i.calls++; i.calls <= i.fails {
		return order.Audited{}, errors.New("the ledger does not answer")
	}
	return i.found, nil
}

// audit runs an audit, and gives its result.
func (i *inspector) audit(t *testing.T, metrics *activities.AuditMetrics) order.Audited {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.RegisterWorkflowWithOptions(workflows.AuditOrders, workflow.RegisterOptions{Name: workflows.AuditOrdersName})
	(&activities.Audits{Auditor: i, Metrics: metrics}).Register(env)
	env.ExecuteWorkflow(workflows.AuditOrdersName)
	var found order.Audited
	if err := env.GetWorkflowResult(&found); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAnAuditThatCouldNotLookLooksAgainAndShowsWhatItFinds(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	metrics := activities.NewAuditMetrics(registry)
	shows := func(want string) {
		t.Helper()
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "holdfast_audit_violations"); err != nil {
			t.Error(err)
		}
	}
	const head = "# HELP holdfast_audit_violations Broken promises by kind, as the audit lists them; omitted: suspicions beyond those. As of the last audit that this worker ended: " +
		"of several workers, believe the one with the newest holdfast_audit_last_timestamp_seconds.\n# TYPE holdfast_audit_violations gauge\n"
	shows("")
	broken := &inspector{fails: 3, found: order.Audited{
		Complete: true, Violations: []order.ViolationCount{{Kind: "oversold", Count: 2}, {Kind: "unsettled"}}, Examples: []string{"oversold mug: two more"},
	}}
	if found := broken.audit(t, metrics); broken.calls != 4 || found.Found() != 2 || len(found.Examples) != 1 {
		t.Errorf("%+v after %d calls", found, broken.calls)
	}
	shows(head + "holdfast_audit_violations{kind=\"omitted\"} 0\nholdfast_audit_violations{kind=\"oversold\"} 2\nholdfast_audit_violations{kind=\"unsettled\"} 0\n")

	// One that did not get through proves nothing, and takes nothing back.
	short := &inspector{found: order.Audited{Violations: []order.ViolationCount{{Kind: "oversold"}, {Kind: "unsettled"}}}}
	short.audit(t, metrics)
	shows(head + "holdfast_audit_violations{kind=\"omitted\"} 0\nholdfast_audit_violations{kind=\"oversold\"} 2\nholdfast_audit_violations{kind=\"unsettled\"} 0\n")

	mended := &inspector{found: order.Audited{Holds: true, Complete: true, Violations: []order.ViolationCount{{Kind: "oversold"}, {Kind: "unsettled"}}}}
	mended.audit(t, metrics)
	shows(head + "holdfast_audit_violations{kind=\"omitted\"} 0\nholdfast_audit_violations{kind=\"oversold\"} 0\nholdfast_audit_violations{kind=\"unsettled\"} 0\n")
}
