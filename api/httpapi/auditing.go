package httpapi

import (
	"context"
	"errors"

	"holdfast/audit"
)

// Auditor proves the promises from the data.
type Auditor interface {
	// Run returns an *audit.UnreadableError if it could not look.
	Run(ctx context.Context) (audit.Report, error)
}

type auditAnswer struct{ Body audit.Report }

// runAudit lets one audit run at a time, since each reads everything. A caller waits for its turn and not
// for another's report, which may have looked before what the caller wants to see.
func (a *API) runAudit(ctx context.Context, _ *struct{}) (*auditAnswer, error) {
	select {
	case a.auditor <- struct{}{}:
		defer func() { <-a.auditor }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	report, err := a.Auditor.Run(ctx)
	if unreadable, ok := errors.AsType[*audit.UnreadableError](err); ok {
		return nil, a.unavailable(ctx, err, "nothing is proven: the audit could not read the "+unreadable.What)
	}
	if err != nil {
		return nil, err
	}
	return &auditAnswer{Body: report}, nil
}
