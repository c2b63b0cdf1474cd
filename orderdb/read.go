package orderdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"holdfast/order"
)

// ErrNotFound means that no such row exists.
var ErrNotFound = errors.New("not found")

// Record is an order as it is on record.
type Record struct {
	order.Order
	Fingerprint     order.Fingerprint
	Status          order.Status
	Reason          order.Reason // empty unless closed
	Detail          string       // the reason's particulars; may be empty
	Total           int64        // minor units
	WorkflowID      string       // the workflow that carried it first
	CreatedAt       time.Time
	UpdatedAt       time.Time
	SettledAt       *time.Time // nil as long as something is owed
	AttentionSince  *time.Time // nil if no person is needed
	AttentionReason string
	ByHand          order.Resolution // empty if no person settled the order
	ByHandAt        *time.Time       // nil in that case
	// OwesEvent: nothing is owed but that others are told of the status.
	OwesEvent bool
	// PurgedAt is nil unless the order was purged. Of such a one only id, fingerprint, status, reason, detail, currency and the
	// times are known, and as its total what it was charged for good.
	PurgedAt *time.Time
}

// Get reads an order, or what stays of one that was purged. The error is ErrNotFound if there is neither.
func (db *DB) Get(ctx context.Context, id order.ID) (Record, error) {
	records, err := db.records(ctx, db.gorm.WithContext(ctx).Where("id = ?", id))
	if err != nil {
		return Record{}, fmt.Errorf("get order %s: %w", id, err)
	}
	if len(records) > 0 {
		return records[0], nil
	}
	stones, err := stonesOf(db.gorm.WithContext(ctx), []order.ID{id})
	if err != nil {
		return Record{}, fmt.Errorf("get what stays of order %s: %w", id, err)
	}
	if len(stones) == 0 {
		return Record{}, fmt.Errorf("order %s: %w", id, ErrNotFound)
	}
	return stones[0].order().record(nil), nil
}

// GetMany reads those of the orders that are on record, or were purged, without their lines: whoever asks for many has them.
func (db *DB) GetMany(ctx context.Context, ids []order.ID) (map[order.ID]Record, error) {
	var rows []orderRow
	if err := db.gorm.WithContext(ctx).Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("get %d orders: %w", len(ids), err)
	}
	byID := make(map[order.ID]Record, len(rows))
	for _, r := range rows {
		byID[r.ID] = r.record(nil)
	}
	var missing []order.ID
	for _, id := range ids {
		if _, found := byID[id]; !found {
			missing = append(missing, id)
		}
	}
	stones, err := stonesOf(db.gorm.WithContext(ctx), missing)
	if err != nil {
		return nil, fmt.Errorf("get what stays of %d orders: %w", len(missing), err)
	}
	for _, stone := range stones {
		byID[stone.OrderID] = stone.order().record(nil)
	}
	return byID, nil
}

// CountUnsettled counts the orders created before the given time for which more is owed than that others are told, at most limit.
func (db *DB) CountUnsettled(ctx context.Context, before time.Time, limit int) (int, error) {
	return db.countUnsettled(ctx, before, limit, "NOT only_event AND status NOT IN ?", []order.Status{order.Confirmed, order.HandedOff})
}

// CountUntold counts the orders created before the given time of which others have been told nothing, and for which nothing else is
// owed, at most limit. A hand-off adds none: others know what it takes as confirmed.
func (db *DB) CountUntold(ctx context.Context, before time.Time, limit int) (int, error) {
	return db.countUnsettled(ctx, before, limit, "(only_event OR status IN ?) AND announced = ''", []order.Status{order.Confirmed, order.HandedOff})
}

// countUnsettled reads orders_by_settling alone.
func (db *DB) countUnsettled(ctx context.Context, before time.Time, limit int, condition string, args ...any) (int, error) {
	var n int64
	some := db.gorm.Model(&orderRow{}).Select("1").Where("settled_at IS NULL AND created_at < ?", before).Where(condition, args...).Limit(limit)
	if err := db.gorm.WithContext(ctx).Table("(?) AS some", some).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count unsettled orders: %w", err)
	}
	return int(n), nil
}

// CountAttention counts the orders that need a person.
func (db *DB) CountAttention(ctx context.Context) (int64, error) {
	var n int64
	err := db.gorm.WithContext(ctx).Model(&orderRow{}).Where("attention_since IS NOT NULL").Count(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count orders that need a person: %w", err)
	}
	return n, nil
}

// Filter selects orders; zero fields select all.
type Filter struct {
	Status     order.Status
	CustomerID string
	Attention  *bool
	// Before continues a list: only what comes after this order in it, newest first.
	Before *Position
	// UnsettledBefore selects orders that were not settled then and were created before.
	UnsettledBefore time.Time
	Limit           int // at least 1
}

// Position is an order's place in the list.
type Position struct {
	CreatedAt time.Time
	ID        order.ID
}

// List reads orders, newest first.
func (db *DB) List(ctx context.Context, f Filter) ([]Record, error) {
	q := db.gorm.WithContext(ctx).Order("created_at DESC, id DESC").Limit(f.Limit)
	if f.Status != "" {
		q = q.Where("status = ?", f.Status)
	}
	if f.CustomerID != "" {
		q = q.Where("customer_id = ?", f.CustomerID)
	}
	switch {
	case f.Attention == nil:
	case *f.Attention:
		q = q.Where("attention_since IS NOT NULL") // a condition that its index serves
	default:
		q = q.Where("attention_since IS NULL")
	}
	if p := f.Before; p != nil {
		q = q.Where("(created_at < ? OR (created_at = ? AND id < ?))", p.CreatedAt, p.CreatedAt, p.ID)
	}
	if !f.UnsettledBefore.IsZero() {
		q = q.Where("settled_at IS NULL AND created_at < ?", f.UnsettledBefore)
	}
	records, err := db.records(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	return records, nil
}

// records reads the orders that q selects, each with its lines.
func (db *DB) records(ctx context.Context, q *gorm.DB) ([]Record, error) {
	var rows []*orderRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, err
	}
	lines, err := linesByOrder(db.gorm.WithContext(ctx), idsOf(rows))
	if err != nil {
		return nil, err
	}
	records := make([]Record, len(rows))
	for i, row := range rows {
		records[i] = row.record(lines[row.ID])
	}
	return records, nil
}

func (r orderRow) record(lines []lineRow) Record {
	orderLines := make([]order.Line, len(lines))
	for i, l := range lines {
		orderLines[i] = order.Line{SKU: l.SKU, Quantity: l.Quantity, UnitPrice: l.UnitPrice}
	}
	return Record{
		Order: order.Order{
			ID: r.ID, CustomerID: r.CustomerID, Currency: r.Currency, PaymentMethod: r.PaymentMethod, Lines: orderLines,
		},
		Fingerprint: r.Fingerprint, Status: r.Status, Reason: r.Reason, Detail: r.Detail, Total: r.Total,
		WorkflowID: r.WorkflowID, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, SettledAt: r.SettledAt,
		AttentionSince: r.AttentionSince, AttentionReason: r.AttentionReason,
		ByHand: order.Resolution{Answer: r.ByHand, Note: r.ByHandNote}, ByHandAt: r.ByHandAt,
		OwesEvent: r.owesEvent(), PurgedAt: r.purgedAt,
	}
}
