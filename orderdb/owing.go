package orderdb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"holdfast/order"
)

// Owing is how many orders something is owed for, and since when for the oldest of them.
type Owing struct {
	Orders int64
	Since  time.Time // zero if there is none
}

func (o *Owing) add(since time.Time) {
	if o.Orders++; o.Since.IsZero() || since.Before(o.Since) {
		o.Since = since
	}
}

// Owed tells by status of which orders more is owed than that others are told: PENDING since they were placed, closed ones since
// they were closed. It looks at the limit oldest.
func (db *DB) Owed(ctx context.Context, limit int) (map[order.Status]Owing, error) {
	var rows []orderRow
	err := db.gorm.WithContext(ctx).Select("status, created_at, updated_at, attention_since").
		Where("settled_at IS NULL AND NOT only_event AND status NOT IN ?", []order.Status{order.Confirmed, order.HandedOff}).
		Order("created_at").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read what is owed: %w", classify(err))
	}
	owed := make(map[order.Status]Owing)
	for _, row := range rows {
		since := row.CreatedAt
		if row.Status.Closed() {
			since = row.UpdatedAt
			if row.AttentionSince != nil && row.AttentionSince.Before(since) { // it was closed before that
				since = *row.AttentionSince
			}
		}
		o := owed[row.Status]
		o.add(since)
		owed[row.Status] = o
	}
	return owed, nil
}

// Untold tells of how many orders, and of how many receipts, others are still to be told, at most limit of each, and since when: orders
// since their status is what it is.
func (db *DB) Untold(ctx context.Context, limit int) (orders, receipts Owing, err error) {
	untold := func() *gorm.DB {
		return db.gorm.WithContext(ctx).Model(&orderRow{}).
			Where("settled_at IS NULL AND (only_event OR status IN ?)", []order.Status{order.Confirmed, order.HandedOff})
	}
	owing := func() *gorm.DB {
		return db.gorm.WithContext(ctx).Model(&movementRow{}).Where("owes_event = ?", true)
	}
	if orders, err = db.oldest(untold, "updated_at", limit); err == nil {
		receipts, err = db.oldest(owing, "created_at", limit)
	}
	if err != nil {
		err = fmt.Errorf("read of what others are to be told: %w", classify(err))
	}
	return orders, receipts, err
}

// oldest counts what a query finds, and reads since when the first of it is as it is, by a column.
func (db *DB) oldest(query func() *gorm.DB, since string, limit int) (o Owing, err error) {
	err = db.gorm.WithContext(query().Statement.Context).Table("(?) AS some", query().Select("1").Limit(limit)).Count(&o.Orders).Error
	if err != nil || o.Orders == 0 {
		return o, err
	}
	var first []time.Time
	err = query().Order("created_at").Limit(firstRead).Pluck(since, &first).Error
	if err == nil && len(first) > 0 {
		o.Since = slices.MinFunc(first, time.Time.Compare)
	}
	return o, err
}

// firstRead is how many of the first that were placed are looked at to find what has waited longest.
const firstRead = 1000

// ToHandOff is what the warehouse does not have yet.
type ToHandOff struct {
	// Oldest is when the oldest CONFIRMED order was placed that no hand-off has taken; zero if there is none. Those that the
	// warehouse rejected need a person, and are left out. While pages are undelivered it is the oldest after the last of their cutoffs:
	// all orders of an undelivered day would have to be skipped to find one before it.
	Oldest time.Time
	// Changed is when the first of such orders became as it is; zero if there is none. One that was PENDING over a cutoff goes with the next.
	Changed time.Time
	// Pages and Orders are assigned and not delivered, the oldest of them at Cutoff; zero if there are none.
	Pages, Orders int64
	Cutoff        time.Time
}

// ToHandOff reads what the warehouse does not have yet.
func (db *DB) ToHandOff(ctx context.Context) (left ToHandOff, err error) {
	var pages []pageRow
	tx := db.gorm.WithContext(ctx)
	if err := tx.Where("delivered_at IS NULL").Order("assigned_at").Limit(maxPagesRead).Find(&pages).Error; err != nil {
		return left, fmt.Errorf("read the pages to deliver: %w", classify(err))
	}
	var after time.Time
	for _, page := range pages {
		left.Pages++
		left.Orders += int64(page.Orders)
		if left.Cutoff.IsZero() || page.Cutoff.Before(left.Cutoff) {
			left.Cutoff = page.Cutoff
		}
		if page.Cutoff.After(after) {
			after = page.Cutoff
		}
	}
	oldest := db.unassigned(tx, now()).Where("h.order_id IS NULL")
	if !after.IsZero() {
		oldest = oldest.Where("o.created_at > ?", after)
	}
	var first []orderRow
	if err := oldest.Select("o.created_at, o.updated_at").Order("o.created_at").Limit(firstRead).Find(&first).Error; err != nil {
		return left, fmt.Errorf("read the oldest order to hand off: %w", classify(err))
	}
	for _, row := range first {
		if left.Oldest.IsZero() {
			left.Oldest = row.CreatedAt
		}
		if left.Changed.IsZero() || row.UpdatedAt.Before(left.Changed) {
			left.Changed = row.UpdatedAt
		}
	}
	return left, nil
}

// maxPagesRead is half a million orders in the usual pages.
const maxPagesRead = 1000
