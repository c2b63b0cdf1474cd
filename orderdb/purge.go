package orderdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"holdfast/order"
)

// stoneRow is a row of stones: what stays of an order that was purged. It answers repeats of the order's request, keeps its id from
// being used again, and tells the audit what was charged.
type stoneRow struct {
	OrderID     order.ID `gorm:"primaryKey"`
	Fingerprint order.Fingerprint
	Status      order.Status
	Reason      order.Reason
	Detail      string
	Net         int64 // that the order was charged for good, minor units
	Currency    order.Currency
	CreatedAt   time.Time // of the order
	PurgedAt    time.Time
}

// TableName implements gorm's schema.Tabler.
func (stoneRow) TableName() string { return "stones" }

// order is the row that the order had, as far as it is remembered. It is in a final status and settled, so that no transition
// changes it.
func (s stoneRow) order() *orderRow {
	return &orderRow{
		ID: s.OrderID, Fingerprint: s.Fingerprint, Currency: s.Currency, Total: s.Net, Status: s.Status, Reason: s.Reason, Detail: s.Detail,
		CreatedAt: s.CreatedAt, UpdatedAt: s.PurgedAt, SettledAt: &s.PurgedAt, purgedAt: &s.PurgedAt,
	}
}

func (s stoneRow) end() End {
	return End{
		ID: s.OrderID, Currency: s.Currency, Status: s.Status, Reason: s.Reason, Total: s.Net, CreatedAt: s.CreatedAt, SettledAt: &s.PurgedAt,
		Purged: true,
	}
}

func stonesOf(tx *gorm.DB, ids []order.ID) (stones []stoneRow, err error) {
	if len(ids) > 0 {
		err = tx.Where("order_id IN ?", ids).Find(&stones).Error
	}
	return stones, err
}

// deletionRow is a row of deletions.
type deletionRow struct {
	Day       string `gorm:"primaryKey"` // in UTC, as 2026-11-26
	FromTable string `gorm:"primaryKey"`
	Reason    string `gorm:"primaryKey"`
	Deleted   int64
}

// TableName implements gorm's schema.Tabler.
func (deletionRow) TableName() string { return "deletions" }

// The tables that a purge deletes from.
const (
	tableOrders      = "orders"
	tableLines       = "order_lines"
	tableAssignments = "handoff_orders"
)

const (
	// movementPurged is a SKU's one movement for the units of purged orders: they were sold, and no line says so any more.
	movementPurged = "purged"
	// deletedByRetention is why a purge deletes.
	deletedByRetention = "retention"
)

// purgeable are the statuses after which nothing follows.
var purgeable = []order.Status{order.HandedOff, order.Rejected, order.Cancelled}

// Purge implements the port of package activities.
func (db *DB) Purge(ctx context.Context, before time.Time, limit int) (purged order.Purged, err error) {
	before = before.UTC().Truncate(time.Microsecond)
	err = db.transact(ctx, func(tx *gorm.DB) error {
		purged = order.Purged{}
		ids, err := oldest(tx, before, limit)
		if err != nil {
			return err
		}
		purged.Done = len(ids) < limit
		rows, err := lockPurgeable(tx, ids, before)
		if err != nil || len(rows) == 0 {
			return err
		}
		deleted, err := purge(tx, rows)
		purged.Orders, purged.Lines, purged.Assignments = deleted[tableOrders], deleted[tableLines], deleted[tableAssignments]
		return err
	})
	if err != nil {
		return order.Purged{}, fmt.Errorf("purge: %w", err)
	}
	return purged, nil
}

// oldest finds orders to purge, in id order. Each status is asked for by itself, for orders_by_status has each by age.
func oldest(tx *gorm.DB, before time.Time, limit int) (ids []order.ID, err error) {
	for _, status := range purgeable {
		var found []order.ID
		if len(ids) == limit {
			break
		}
		err := tx.Model(&orderRow{}).Where("status = ? AND created_at < ? AND settled_at < ?", status, before, before).
			Order("created_at, id").Limit(limit-len(ids)).Pluck("id", &found).Error
		if err != nil {
			return nil, err
		}
		ids = append(ids, found...)
	}
	slices.Sort(ids)
	return ids, nil
}

// lockPurgeable locks those that another purge has not taken meanwhile. No other change leads out of what they are.
func lockPurgeable(tx *gorm.DB, ids []order.ID, before time.Time) (rows []*orderRow, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).
		Where("id IN ? AND status IN ? AND settled_at < ?", ids, purgeable, before).Order("id").Find(&rows).Error
	return rows, err
}

// purge leaves a stone of each order, folds the units that were sold into their SKU's movements, deletes the rows and counts them.
func purge(tx *gorm.DB, rows []*orderRow) (map[string]int64, error) {
	at := now()
	ids := idsOf(rows)
	if err := fold(tx, rows, at); err != nil {
		return nil, err
	}
	stones := make([]stoneRow, len(rows))
	for i, row := range rows {
		stones[i] = stoneRow{
			OrderID: row.ID, Fingerprint: row.Fingerprint, Status: row.Status, Reason: row.Reason, Detail: row.Detail,
			Currency: row.Currency, CreatedAt: row.CreatedAt, PurgedAt: at,
		}
		if row.Status.Sold() {
			stones[i].Net = row.Total
		}
	}
	if err := tx.CreateInBatches(stones, insertBatch).Error; err != nil {
		return nil, err
	}
	deleted := make(map[string]int64)
	for _, from := range []struct {
		table, id string
		model     any
	}{
		{tableAssignments, "order_id", &assignmentRow{}}, {tableLines, "order_id", &lineRow{}}, {tableOrders, "id", &orderRow{}},
	} {
		result := tx.Where(from.id+" IN ?", ids).Delete(from.model)
		if result.Error != nil {
			return nil, result.Error
		}
		if result.RowsAffected > 0 {
			deleted[from.table] = result.RowsAffected
		}
	}
	return deleted, count(tx, deleted, at)
}

// fold takes the units of sold orders out of their SKUs' movements, since their lines go: what is on hand stays the movements less the
// lines. No stock row is locked, so that no sale waits.
func fold(tx *gorm.DB, rows []*orderRow, at time.Time) error {
	var sold []order.ID
	for _, row := range rows {
		if row.Status.Sold() {
			sold = append(sold, row.ID)
		}
	}
	if len(sold) == 0 {
		return nil
	}
	lines, err := linesByOrder(tx, sold)
	if err != nil {
		return err
	}
	units := make(map[string]int64)
	for _, orderLines := range lines {
		for _, l := range orderLines {
			units[l.SKU] += l.Quantity
		}
	}
	for _, sku := range slices.Sorted(maps.Keys(units)) {
		err := tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "sku"}, {Name: "kind"}, {Name: "reference"}},
			DoUpdates: clause.Assignments(map[string]any{"quantity": gorm.Expr("stock_movements.quantity - ?", units[sku])}),
		}).Create(&movementRow{
			SKU: sku, Kind: movementPurged, Reference: "handed off", Quantity: -units[sku], Reason: "sold and purged", CreatedAt: at,
		}).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// count adds to the day's deletions.
func count(tx *gorm.DB, deleted map[string]int64, at time.Time) error {
	for _, table := range slices.Sorted(maps.Keys(deleted)) {
		err := tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "day"}, {Name: "from_table"}, {Name: "reason"}},
			DoUpdates: clause.Assignments(map[string]any{"deleted": gorm.Expr("deletions.deleted + ?", deleted[table])}),
		}).Create(&deletionRow{Day: at.Format(time.DateOnly), FromTable: table, Reason: deletedByRetention, Deleted: deleted[table]}).Error
		if err != nil {
			return err
		}
	}
	return nil
}
