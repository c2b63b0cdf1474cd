package app

import (
	"context"
	"time"

	"holdfast/audit"
	"holdfast/order"
)

// auditor makes an audit of everything that the program knows, which may take as long as limit. Patience: see audit.Config.
func (p *platform) auditor(limit, patience time.Duration) *audit.Auditor {
	cfg := audit.Config{Orders: p.orders, Front: p.stock, Ledger: p.payments, Limit: limit, Patience: patience}
	if p.warehouse != nil {
		cfg.Warehouse = p.warehouse
	}
	return audit.New(cfg)
}

// auditing gives what an audit found in short. It implements activities.Auditor.
type auditing struct{ *audit.Auditor }

// Audit implements activities.Auditor.
func (a auditing) Audit(ctx context.Context) (order.Audited, error) {
	report, err := a.Run(ctx)
	return report.Summary(), err
}
