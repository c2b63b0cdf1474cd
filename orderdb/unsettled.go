package orderdb

import (
	"context"
	"fmt"
	"time"
)

// Unsettled reads up to limit orders for which something is owed, of those created before the given time, oldest
// first. after continues behind an order; its zero value begins. However many orders there are it reads these
// alone, since orders_by_settling has them in this order.
func (db *DB) Unsettled(ctx context.Context, after Position, before time.Time, limit int) ([]Record, error) {
	q := db.gorm.WithContext(ctx).
		Where("settled_at IS NULL AND created_at < ?", before).
		Order("created_at, id").Limit(limit)
	if !after.CreatedAt.IsZero() {
		// The first half says nothing that the second does not, but lets the index begin at the cursor.
		q = q.Where("created_at >= ? AND (created_at > ? OR id > ?)", after.CreatedAt, after.CreatedAt, after.ID)
	}
	records, err := db.records(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read unsettled orders: %w", classify(err))
	}
	return records, nil
}
