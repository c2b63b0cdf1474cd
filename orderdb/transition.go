package orderdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"holdfast/order"
)

// Commit implements the port of package activities.
func (db *DB) Commit(ctx context.Context, keys []order.Key) ([]order.Row, error) {
	conclusions := make([]order.Conclusion, len(keys))
	for i, key := range keys {
		conclusions[i] = order.Conclusion{Key: key, Payment: order.Payment{Verdict: order.Approved}}
	}
	return db.Conclude(ctx, conclusions)
}

// Conclude implements the port of package activities: Commit and Close in one transaction, which locks and writes each
// stock row once. A confirmed order owes nothing, so the same statement settles it.
func (db *DB) Conclude(ctx context.Context, conclusions []order.Conclusion) ([]order.Row, error) {
	keys := make([]order.Key, len(conclusions))
	payments := make(map[order.Key]order.Payment, len(conclusions))
	for i, c := range conclusions {
		keys[i] = c.Key
		if _, twice := payments[c.Key]; !twice {
			payments[c.Key] = c.Payment
		}
	}
	rows, err := db.transition(ctx, keys, isPending, func(tx *gorm.DB, pending []*orderRow) error {
		paid := func(row *orderRow) bool { return payments[row.key()].Verdict == order.Approved }
		err := moveUnits(tx, pending, func(s shelf, row *orderRow, lines []lineRow) {
			if paid(row) {
				s.sell(row, lines)
			} else {
				s.giveBack(row, lines)
			}
		})
		if err != nil {
			return err
		}
		at := now()
		var sold []*orderRow
		declined := make(map[string][]*orderRow) // by the provider's reason: few, and one statement each
		for _, row := range pending {
			if paid(row) {
				sold = append(sold, row)
			} else {
				reason := clip(payments[row.key()].Reason)
				declined[reason] = append(declined[reason], row)
			}
		}
		if len(sold) > 0 {
			if err := set(tx, sold, order.Pending, func(row *orderRow) {
				row.Status, row.UpdatedAt = order.Confirmed, at
				if !db.owesEvents {
					row.SettledAt = &at
				}
			}); err != nil {
				return err
			}
		}
		for reason, rows := range declined {
			err := set(tx, rows, order.Pending, func(row *orderRow) {
				row.Status, row.Reason, row.Detail, row.UpdatedAt = order.Rejected, order.ReasonPaymentDeclined, reason, at
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = db.addHolds(ctx, keys, rows)
	}
	if err != nil {
		return nil, fmt.Errorf("conclude: %w", err)
	}
	return rows, nil
}

// Close implements the port of package activities.
func (db *DB) Close(ctx context.Context, closings []order.Closing) ([]order.Row, error) {
	keys := make([]order.Key, len(closings))
	// By the whole key: a closing under a reused id must lend its reason to nobody.
	wanted := make(map[order.Key]order.Closing, len(closings))
	for i, c := range closings {
		keys[i] = c.Order.Key()
		if _, twice := wanted[keys[i]]; !twice {
			wanted[keys[i]] = c
		}
	}
	rows, err := db.transition(ctx, keys, isPending, func(tx *gorm.DB, pending []*orderRow) error {
		if err := moveUnits(tx, pending, shelf.giveBack); err != nil {
			return err
		}
		at := now()
		for _, row := range pending {
			c := wanted[row.key()]
			err := set(tx, []*orderRow{row}, order.Pending, func(row *orderRow) {
				row.Status, row.Reason, row.Detail, row.UpdatedAt = c.Status, c.Reason, clip(c.Detail), at
			})
			if err != nil {
				return err
			}
		}
		return nil
	}, func(key order.Key) (*orderRow, []lineRow) { return closedRow(wanted[key], now()) })
	if err == nil {
		err = db.addHolds(ctx, keys, rows)
	}
	if err != nil {
		return nil, fmt.Errorf("close: %w", err)
	}
	return rows, nil
}

// Cancel implements the port of package activities. The units of a confirmed order are restocked, and since its charge
// is now owed it is not settled any more.
func (db *DB) Cancel(ctx context.Context, keys []order.Key) ([]order.Row, error) {
	cancellable := func(row *orderRow) bool {
		return row.Status == order.Pending || row.Status == order.Confirmed && !row.assigned
	}
	rows, err := db.transitionOf(ctx, lockWithAssignments, keys, cancellable, func(tx *gorm.DB, rows []*orderRow) error {
		if err := moveUnits(tx, rows, shelf.takeBack); err != nil {
			return err
		}
		byStatus := make(map[order.Status][]*orderRow)
		for _, row := range rows {
			byStatus[row.Status] = append(byStatus[row.Status], row)
		}
		if sold := byStatus[order.Confirmed]; len(sold) > 0 {
			if err := tx.Model(&orderRow{}).Where("id IN ?", idsOf(sold)).Update("was_confirmed", true).Error; err != nil {
				return err
			}
		}
		at := now()
		for from, rows := range byStatus {
			err := set(tx, rows, from, func(row *orderRow) {
				row.Status, row.Reason, row.UpdatedAt, row.SettledAt = order.Cancelled, order.ReasonRequested, at, nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = db.addHolds(ctx, keys, rows)
	}
	if err != nil {
		return nil, fmt.Errorf("cancel: %w", err)
	}
	return rows, nil
}

// closedRow is what Close writes where there is no row: an Open that comes later finds it.
func closedRow(c order.Closing, at time.Time) (*orderRow, []lineRow) {
	return &orderRow{
		ID: c.Order.ID, Fingerprint: c.Order.Fingerprint(), CustomerID: c.Order.CustomerID,
		Currency: c.Order.Currency, PaymentMethod: c.Order.PaymentMethod, Total: c.Order.Total().Minor,
		Status: c.Status, Reason: c.Reason, Detail: clip(c.Detail), WorkflowID: c.WorkflowID,
		CreatedAt: at, UpdatedAt: at,
	}, lineRows(c.Order)
}

// Settle implements the port of package activities. If others are to be told, that is what is still owed afterwards.
func (db *DB) Settle(ctx context.Context, keys []order.Key) ([]order.Row, error) {
	owing := func(row *orderRow) bool { return row.Status.Closed() && row.SettledAt == nil && !row.OnlyEvent }
	rows, err := db.transition(ctx, keys, owing, func(tx *gorm.DB, closed []*orderRow) error {
		at := now()
		columns := needsNobody(map[string]any{"settled_at": at, "updated_at": at})
		if db.owesEvents {
			columns = needsNobody(map[string]any{"only_event": true, "updated_at": at})
		}
		for _, row := range closed {
			if row.OnlyEvent = db.owesEvents; !row.OnlyEvent {
				row.SettledAt = &at
			}
		}
		return tx.Model(&orderRow{}).Where("id IN ?", idsOf(closed)).Updates(columns).Error
	})
	if err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	return rows, nil
}

func isPending(row *orderRow) bool { return row.Status == order.Pending }

// transition locks the rows of the orders, hands those that are eligible and belong to their key to
// change, and answers what every row reads afterwards. Where an order has no row, absent, if given,
// makes the one to insert.
func (db *DB) transition(ctx context.Context, keys []order.Key, eligible func(*orderRow) bool,
	change func(*gorm.DB, []*orderRow) error, absent ...func(order.Key) (*orderRow, []lineRow),
) ([]order.Row, error) {
	return db.transitionOf(ctx, lockOrders, keys, eligible, change, absent...)
}

// transitionOf is transition of rows that are locked, and read, by lock.
func (db *DB) transitionOf(ctx context.Context, lock func(*gorm.DB, []order.Key) (map[order.ID]*orderRow, error), keys []order.Key,
	eligible func(*orderRow) bool, change func(*gorm.DB, []*orderRow) error, absent ...func(order.Key) (*orderRow, []lineRow),
) ([]order.Row, error) {
	answers := make([]order.Row, len(keys))
	err := db.transact(ctx, func(tx *gorm.DB) error {
		rows, err := lock(tx, keys)
		if err != nil {
			return err
		}
		changed := make(map[order.ID]*orderRow)
		for _, key := range keys {
			if row := rows[key.ID]; row != nil && row.Fingerprint == key.Fingerprint && eligible(row) {
				changed[row.ID] = row
			}
		}
		if len(changed) > 0 {
			sorted := slices.SortedFunc(maps.Values(changed), byID)
			if err := change(tx, sorted); err != nil {
				return err
			}
		}
		for _, record := range absent {
			if err := db.insertAbsent(tx, keys, rows, changed, record); err != nil {
				return err
			}
		}
		for i, key := range keys {
			row := changed[key.ID]
			answers[i] = sameOrder(rows[key.ID], key, row != nil)
			if row != nil && row.key() == key {
				delete(changed, key.ID) // the same order twice in one batch was changed once
			}
		}
		return nil
	})
	return answers, err
}

// insertAbsent writes the rows that are not there, in id order.
func (db *DB) insertAbsent(tx *gorm.DB, keys []order.Key, rows, changed map[order.ID]*orderRow,
	absent func(order.Key) (*orderRow, []lineRow),
) error {
	var inserts []*orderRow
	var lines []lineRow
	for _, key := range keys {
		if rows[key.ID] != nil {
			continue
		}
		row, rowLines := absent(key)
		rows[key.ID], changed[key.ID] = row, row
		inserts = append(inserts, row)
		lines = append(lines, rowLines...)
	}
	if len(inserts) == 0 {
		return nil
	}
	slices.SortFunc(inserts, byID)
	if err := tx.CreateInBatches(inserts, insertBatch).Error; err != nil {
		return err
	}
	return db.insertLines(tx, lines)
}

// moveUnits applies a movement of the shelf to each of the rows, which are locked in their old status.
func moveUnits(tx *gorm.DB, rows []*orderRow, move func(shelf, *orderRow, []lineRow)) error {
	lines, err := linesByOrder(tx, idsOf(rows))
	if err != nil {
		return err
	}
	var skus []string
	for _, orderLines := range lines {
		for _, l := range orderLines {
			skus = append(skus, l.SKU)
		}
	}
	shelf, err := lockStock(tx, skus)
	if err != nil {
		return err
	}
	for _, row := range rows {
		move(shelf, row, lines[row.ID])
	}
	return shelf.write(tx)
}

// set changes rows that are in the status from, all in the same way, and writes them in one
// statement. The status in its WHERE is the compare of the compare-and-set; the lock makes it hold.
func set(tx *gorm.DB, rows []*orderRow, from order.Status, change func(*orderRow)) error {
	for _, row := range rows {
		change(row)
	}
	to := rows[0]
	columns := map[string]any{
		"status": to.Status, "reason": to.Reason, "detail": to.Detail,
		"updated_at": to.UpdatedAt, "settled_at": to.SettledAt,
	}
	if to.SettledAt != nil || to.Status == order.Confirmed {
		columns = needsNobody(columns)
	}
	result := tx.Model(&orderRow{}).Where("id IN ? AND status = ?", idsOf(rows), from).Updates(columns)
	if result.Error == nil && result.RowsAffected != int64(len(rows)) {
		return order.Failf(order.Transient, "%d of %d locked rows were not %s", int64(len(rows))-result.RowsAffected, len(rows), from)
	}
	return result.Error
}

func idsOf(rows []*orderRow) []order.ID {
	ids := make([]order.ID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	return ids
}

func byID(a, b *orderRow) int {
	switch {
	case a.ID < b.ID:
		return -1
	case a.ID > b.ID:
		return 1
	}
	return 0
}

// clip keeps a text within the columns that hold words for people. They hold UTF-8, and refuse the row
// for anything else that a provider may have said.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	runes := []rune(s)
	if len(runes) <= maxDetail {
		return s
	}
	return string(runes[:maxDetail-1]) + "…"
}
