package orderdb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"holdfast/order"
)

// OweEvents has every change of status from now on, and every receipt, owe an event: what is changed is settled only once others were
// told. It is called before the database is used.
func (db *DB) OweEvents() { db.owesEvents = true }

// owesEvent tells whether nothing is owed but that others are told of the status.
func (r orderRow) owesEvent() bool { return r.SettledAt == nil && (r.Status.Sold() || r.OnlyEvent) }

// history gives the statuses that others have to be told of, in their order.
func (r orderRow) history() (owed []order.Status) {
	if !r.owesEvent() || r.Announced == r.Status {
		return nil
	}
	if r.Announced == "" && (r.Status == order.HandedOff || r.Status == order.Cancelled && r.WasConfirmed) {
		owed = append(owed, order.Confirmed)
	}
	return append(owed, r.Status)
}

// Unannounced implements the port of package activities.
func (db *DB) Unannounced(ctx context.Context, keys []order.Key) ([]order.Announcement, error) {
	ids := make([]order.ID, len(keys))
	for i, key := range keys {
		ids[i] = key.ID
	}
	found, err := db.announcements(ctx, func(tx *gorm.DB) *gorm.DB { return tx.Where("id IN ?", ids) })
	if err != nil {
		return nil, fmt.Errorf("read what is to be published: %w", err)
	}
	announcements := make([]order.Announcement, len(keys))
	for i, key := range keys {
		announcements[i] = order.Announcement{Key: key}
		if at := slices.IndexFunc(found, func(a order.Announcement) bool { return a.Key == key }); at >= 0 {
			announcements[i] = found[at]
		}
	}
	return announcements, nil
}

// OldestUnannounced implements the port of package activities. orders_by_settling has the unsettled orders by their age.
func (db *DB) OldestUnannounced(ctx context.Context, before time.Time, limit int) ([]order.Announcement, error) {
	announcements, err := db.announcements(ctx, func(tx *gorm.DB) *gorm.DB {
		return tx.Where("settled_at IS NULL AND created_at < ? AND updated_at < ? AND (only_event OR status IN ?)", before, before,
			[]order.Status{order.Confirmed, order.HandedOff}).Order("created_at, id").Limit(limit)
	})
	if err != nil {
		return nil, fmt.Errorf("read what has still to be published: %w", err)
	}
	return announcements, nil
}

// UnannouncedOf implements the port of package activities.
func (db *DB) UnannouncedOf(ctx context.Context, page order.PageKey) ([]order.Announcement, error) {
	announcements, err := db.announcements(ctx, func(tx *gorm.DB) *gorm.DB {
		ids := tx.Model(&assignmentRow{}).Select("order_id").Where("handoff_id = ? AND page = ? AND rejected_cutoff IS NULL", page.HandOff, page.Page)
		return tx.Where("id IN (?) AND settled_at IS NULL", ids).Order("id")
	})
	if err != nil {
		return nil, fmt.Errorf("read what is to be published of page %s: %w", page, err)
	}
	return announcements, nil
}

// announcements reads what is owed of the orders that are chosen, in one snapshot.
func (db *DB) announcements(ctx context.Context, which func(*gorm.DB) *gorm.DB) (all []order.Announcement, err error) {
	err = db.snapshot(ctx, func(tx *gorm.DB) error {
		var rows []*orderRow
		if err := which(tx).Find(&rows).Error; err != nil || len(rows) == 0 {
			return err
		}
		lines, err := linesByOrder(tx, idsOf(rows))
		for _, row := range rows {
			a := order.Announcement{Key: row.key()}
			if row.owesEvent() {
				a.Status = row.Status
			}
			for _, status := range row.history() {
				a.Events = append(a.Events, row.event(status, lines[row.ID]))
			}
			all = append(all, a)
		}
		return err
	})
	return all, classify(err)
}

func (r orderRow) event(status order.Status, lines []lineRow) order.Event {
	e := order.Notice{
		OrderID: r.ID, CustomerID: r.CustomerID, Status: status, Currency: r.Currency, Total: r.Total, Lines: make([]order.EventLine, len(lines)),
	}
	if status == r.Status {
		e.Reason = r.Reason
	}
	for i, l := range lines {
		e.Lines[i] = order.EventLine{SKU: l.SKU, Quantity: l.Quantity, UnitPrice: l.UnitPrice}
	}
	return e.Event(r.UpdatedAt)
}

// Announce implements the port of package activities. Who is late with an earlier status takes nothing back. That others were told is no
// change of the order, and leaves its updated_at.
func (db *DB) Announce(ctx context.Context, announcements []order.Announcement) ([]order.Row, error) {
	keys := make([]order.Key, len(announcements))
	told := make(map[order.Key]order.Status, len(announcements))
	for i, a := range announcements {
		keys[i] = a.Key
		told[a.Key] = a.Status
	}
	news := func(row *orderRow) bool {
		status := told[row.key()]
		return status != "" && (status == row.Status && row.owesEvent() || row.Announced == "" && status == order.Confirmed)
	}
	rows, err := db.transition(ctx, keys, news, func(tx *gorm.DB, rows []*orderRow) error {
		at := now()
		byStatus := make(map[order.Status][]*orderRow) // that was told
		var settled []*orderRow
		for _, row := range rows {
			row.Announced = told[row.key()]
			byStatus[row.Announced] = append(byStatus[row.Announced], row)
			if row.Announced == row.Status {
				row.SettledAt = &at
				settled = append(settled, row)
			}
		}
		for status, rows := range byStatus {
			if err := tx.Model(&orderRow{}).Where("id IN ?", idsOf(rows)).UpdateColumn("announced", status).Error; err != nil {
				return err
			}
		}
		if len(settled) == 0 {
			return nil
		}
		return tx.Model(&orderRow{}).Where("id IN ?", idsOf(settled)).UpdateColumn("settled_at", at).Error
	})
	if err != nil {
		return nil, fmt.Errorf("announce: %w", err)
	}
	return rows, nil
}

// UnannouncedReceipts implements the port of package activities.
func (db *DB) UnannouncedReceipts(ctx context.Context, limit int) ([]order.Event, error) {
	var rows []movementRow
	err := db.gorm.WithContext(ctx).Where("owes_event = ?", true).Order("created_at, sku, reference").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read receipts to be published: %w", classify(err))
	}
	events := make([]order.Event, len(rows))
	for i, row := range rows {
		events[i] = order.ReceiptNotice{SKU: row.SKU, Quantity: row.Quantity, Reference: row.Reference, Reason: row.Reason}.Event(row.CreatedAt)
	}
	return events, nil
}

// AnnounceReceipts implements the port of package activities.
func (db *DB) AnnounceReceipts(ctx context.Context, events []order.Event) error {
	err := db.transact(ctx, func(tx *gorm.DB) error {
		for _, e := range events {
			receipt, ok := e.Data.(order.ReceiptNotice)
			if !ok {
				return order.Failf(order.Final, "event %s is about no receipt", e.ID)
			}
			err := tx.Model(&movementRow{}).Where("sku = ? AND kind = ? AND reference = ?", receipt.SKU, movementReceipt, receipt.Reference).
				Update("owes_event", false).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("announce receipts: %w", err)
	}
	return nil
}
