package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// auditTimeout is how long the API's server gives an audit.
const auditTimeout = 5 * time.Minute

// auditDoc is the API's report.
type auditDoc struct {
	Holds      *bool `json:"holds"`    // nil if the document is something else
	Complete   *bool `json:"complete"` // nil from an API of before, whose audits are
	Violations []struct {
		Kind    string `json:"kind"`
		Subject string `json:"subject"` // a SKU or an order id
		Message string `json:"message"`
	} `json:"violations"`
	Omitted int `json:"omitted"` // further suspicions that nobody looked at twice
	Checked struct {
		SKUs          int `json:"skus"`
		RedisCounts   int `json:"redis_counts"`
		Orders        int `json:"orders"`
		LedgerEntries int `json:"ledger_entries"`
		Arrivals      int `json:"arrivals"` // in the warehouse
	} `json:"checked"`
	InFlight int `json:"in_flight"` // orders for which something is still owed
	Oldest   *struct {
		OrderID   string `json:"order_id"`
		Status    string `json:"status"`
		CreatedAt string `json:"created_at"`
	} `json:"oldest_in_flight"` // nil if there is none
	Notes []string `json:"notes"`
	At    string   `json:"at"`
}

func (a *app) auditCommand() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Prove the three promises from the data",
		Long: `Prove the three promises from the data: never oversell, never lose, never charge for nothing. The API
compares the order database with itself, with Redis and with the payment provider's ledger. It changes
nothing and may run while orders are placed.

Exit codes:
  0  the promises hold
  1  they do not hold: the violations are listed; or, clearly said, the audit ran out
     of time and did not get through, or could not be made
  2  usage`,
		Example: `  starter audit
  starter audit --output json | jq '.violations[]'`,
		Args: takes(),
		RunE: run(func(ctx context.Context, _ *cobra.Command, _ []string) error { return a.audit(ctx, timeout) }),
	}
	timeoutFlag(cmd, &timeout, auditTimeout, "the audit may take")
	return cmd
}

func (a *app) audit(ctx context.Context, timeout time.Duration) error {
	raw, doc, err := readAudit(a.ask(ctx, auditRequest(timeout)))
	if err != nil {
		return err
	}
	if err := a.printAudit(raw, doc); err != nil {
		return err
	}
	if !*doc.Holds {
		a.sayAudit(doc)
		return codeError(exitError)
	}
	return nil
}

// unfinished tells whether the audit ran out of time.
func (d auditDoc) unfinished() bool { return d.Complete != nil && !*d.Complete }

// broken tells whether it found something.
func (d auditDoc) broken() bool {
	return len(d.Violations) > 0 || d.Omitted > 0 || !*d.Holds && !d.unfinished()
}

// sayAudit says why an audit is not good.
func (a *app) sayAudit(doc auditDoc) {
	if doc.broken() {
		a.sayf("The audit was made, and the promises DO NOT HOLD.")
	}
	if doc.unfinished() {
		a.sayf("The audit DID NOT GET THROUGH: its time ran out. This says nothing about what it did not look at.")
	}
}

// verdict is the table's word on the promises.
func (d auditDoc) verdict() string {
	if d.unfinished() && !d.broken() {
		return "not known: the audit did not get through"
	}
	return yesNo(*d.Holds)
}

func auditRequest(timeout time.Duration) request {
	return request{method: http.MethodGet, path: "/v1/audit", within: timeout}
}

// readAudit reads the report, as it came and decoded.
func readAudit(ans answer, err error) ([]byte, auditDoc, error) {
	if err != nil {
		return nil, auditDoc{}, notMade(err)
	}
	var doc auditDoc
	if err := json.Unmarshal(ans.body, &doc); err != nil || doc.Holds == nil {
		return nil, auditDoc{}, notMade(ans.asForeign("/v1/audit", "it was not an audit's report").failure())
	}
	return ans.body, doc, nil
}

// notMade sets the failure to make an audit apart from an audit that found something. Both exit 1.
func notMade(err error) error {
	f, ok := errors.AsType[*failure](err)
	if !ok || f.code == exitUsage && f.problem.raw == nil {
		return err
	}
	f.code = exitError
	return f.advisef("THE AUDIT COULD NOT BE MADE. This says nothing about the promises.")
}

func (a *app) printAudit(raw []byte, doc auditDoc) error {
	if a.output == formatJSON {
		return a.printJSON(raw)
	}
	return a.printAuditTable(doc)
}

func (a *app) printAuditTable(doc auditDoc) error {
	inFlight := fmt.Sprint(doc.InFlight)
	if doc.Oldest != nil {
		inFlight += fmt.Sprintf(", the oldest %s (%s, placed %s)", doc.Oldest.OrderID, doc.Oldest.Status, doc.Oldest.CreatedAt)
	}
	rows := [][]string{
		{"Promises hold", doc.verdict()},
		{"Violations", violationCount(doc)},
		{"Checked", fmt.Sprintf("%d SKUs, %d counts in Redis, %d orders, %d ledger entries, %d arrivals in the warehouse",
			doc.Checked.SKUs, doc.Checked.RedisCounts, doc.Checked.Orders, doc.Checked.LedgerEntries, doc.Checked.Arrivals)},
		{"Orders in flight", inFlight},
		{"At", doc.At},
	}
	for _, note := range doc.Notes {
		rows = append(rows, []string{"Note", note})
	}
	if err := printTable(a.stdout, rows...); err != nil || len(doc.Violations) == 0 {
		return err
	}
	rows = [][]string{{"VIOLATION", "SUBJECT", "WHAT WAS FOUND"}}
	for _, v := range doc.Violations {
		rows = append(rows, []string{v.Kind, v.Subject, v.Message})
	}
	if err := a.printLine(); err != nil {
		return err
	}
	return printTable(a.stdout, rows...)
}

func violationCount(doc auditDoc) string {
	if doc.Omitted > 0 {
		return fmt.Sprintf("%d, and %d suspicions that were not looked at twice", len(doc.Violations), doc.Omitted)
	}
	return fmt.Sprint(len(doc.Violations))
}
