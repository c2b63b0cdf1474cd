package audit

import (
	"context"
	"errors"
	"time"

	"holdfast/orderdb"
)

// settling looks at the orders that have not been settled for long. "Every order reaches its end" has
// no date, so an order that takes hours breaks no promise by itself: while a provider is out, its
// workflow waits, and after a while it asks for a person. An order that is silent for longer than that
// is carried by nobody and reaches no end, and that is a violation. One that owes nothing but its event has reached its end.
func (r *run) settling(ctx context.Context) error {
	for _, id := range r.stale {
		record, err := ask(ctx, r, OrderDatabase, func() (record orderdb.Record, err error) {
			record, err = r.cfg.Orders.Get(ctx, id)
			if errors.Is(err, orderdb.ErrNotFound) {
				return orderdb.Record{}, nil
			}
			return record, err
		})
		if err != nil {
			return err
		}
		if record.ID == "" {
			continue // it was deleted meanwhile; what that breaks, the equations show
		}
		silent := time.Since(record.UpdatedAt)
		if record.SettledAt != nil || record.OwesEvent || record.AttentionSince != nil || silent <= r.cfg.Grace || r.full() {
			continue
		}
		r.violationf(Unsettled, string(id), "the order is %s and not settled, nothing has changed for %s, and nobody was asked to look",
			record.Status, silent.Round(time.Second))
	}
	if r.untold > 0 {
		r.notef("Of %d orders that are older than %s, others have still to be told. Nothing else is owed for them.", r.untold, r.cfg.Grace)
	}
	return nil
}
