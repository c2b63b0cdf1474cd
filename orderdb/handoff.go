package orderdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"holdfast/order"
)

// pageRow is a row of handoff_pages.
type pageRow struct {
	HandOffID   string `gorm:"primaryKey;column:handoff_id"`
	Page        int    `gorm:"primaryKey"`
	Cutoff      time.Time
	Orders      int // that were assigned to it
	Rejected    int // of these, how many the warehouse did not take
	Problem     string
	AssignedAt  time.Time
	DeliveredAt *time.Time // nil until the warehouse has answered for each order
}

// TableName implements gorm's schema.Tabler.
func (pageRow) TableName() string { return "handoff_pages" }

func (p pageRow) key() order.PageKey { return order.PageKey{HandOff: p.HandOffID, Page: p.Page} }

func (p pageRow) delivery() order.Delivery {
	return order.Delivery{PageKey: p.key(), Orders: p.Orders, HandedOff: p.Orders - p.Rejected, Rejected: p.Rejected}
}

// assignmentRow is a row of handoff_orders.
type assignmentRow struct {
	OrderID   order.ID `gorm:"primaryKey"`
	HandOffID string   `gorm:"column:handoff_id"`
	Page      int
	// RejectedCutoff is nil as long as the order is assigned. Otherwise the warehouse rejected it, and only hand-offs with a later
	// cutoff take it.
	RejectedCutoff *time.Time
}

// TableName implements gorm's schema.Tabler.
func (assignmentRow) TableName() string { return "handoff_orders" }

// Assign implements the port of package activities. Orders are taken in the order in which they were placed, and without a
// lower bound, so that one that was committed late is not lost.
func (db *DB) Assign(ctx context.Context, key order.PageKey, cutoff time.Time, limit int) error {
	cutoff = cutoff.UTC().Truncate(time.Microsecond) // as the engines keep it
	err := db.transact(ctx, func(tx *gorm.DB) error {
		if page, err := findPage(tx, key); err != nil || page != nil {
			return err
		}
		assigned, err := db.lockUnassigned(tx, cutoff, limit)
		if err != nil || len(assigned) == 0 {
			return err
		}
		// Who assigns the same page at once waits here, and finds it the next time.
		err = tx.Create(&pageRow{HandOffID: key.HandOff, Page: key.Page, Cutoff: cutoff, Orders: len(assigned), AssignedAt: now()}).Error
		if err != nil {
			return err
		}
		rows := make([]assignmentRow, len(assigned))
		for i, o := range assigned {
			rows[i] = assignmentRow{OrderID: o.ID, HandOffID: key.HandOff, Page: key.Page}
		}
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).CreateInBatches(rows, insertBatch).Error // over those that were rejected
	})
	if err != nil {
		return fmt.Errorf("assign page %s: %w", key, err)
	}
	return nil
}

// lockUnassigned locks orders that may be handed off, in id order. Others may have assigned or cancelled what was found
// before it was locked; then it looks again.
func (db *DB) lockUnassigned(tx *gorm.DB, cutoff time.Time, limit int) ([]*orderRow, error) {
	for {
		var found []*orderRow
		if err := db.unassigned(tx, cutoff).Select("o.id").Order("o.created_at, o.id").Limit(limit).Find(&found).Error; err != nil || len(found) == 0 {
			return nil, err
		}
		keys := make([]order.Key, len(found))
		for i, row := range found {
			keys[i].ID = row.ID
		}
		if _, err := lockRows(tx, keys); err != nil {
			return nil, err
		}
		var still []*orderRow
		err := db.unassigned(tx, cutoff).Select("o.id").Where("o.id IN ?", idsOf(found)).Order("o.id").Find(&still).Error
		if err != nil || len(still) > 0 {
			return still, err
		}
	}
}

// unassigned selects the orders that a hand-off would take. As long as handoff_orders is small, MySQL would read all of both tables and
// sort them, unless it is told to look each order up.
func (db *DB) unassigned(tx *gorm.DB, cutoff time.Time) *gorm.DB {
	join := "LEFT JOIN handoff_orders AS h ON h.order_id = o.id"
	if db.dialect.name == "mysql" {
		join = "LEFT JOIN handoff_orders AS h FORCE INDEX (PRIMARY) ON h.order_id = o.id"
	}
	return tx.Table("orders AS o").Joins(join).
		Where("o.status = ? AND o.created_at <= ? AND (h.order_id IS NULL OR h.rejected_cutoff < ?)", order.Confirmed, cutoff, cutoff)
}

// findPage gives nil if the page is not assigned.
func findPage(tx *gorm.DB, key order.PageKey) (*pageRow, error) {
	var page pageRow
	err := tx.Where("handoff_id = ? AND page = ?", key.HandOff, key.Page).Take(&page).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil //nolint:nilnil // as it is said
	}
	return &page, err
}

// Manifest implements the port of package activities.
func (db *DB) Manifest(ctx context.Context, key order.PageKey) (order.Manifest, *order.Delivery, error) {
	var manifest order.Manifest
	var delivered *order.Delivery
	err := db.snapshot(ctx, func(tx *gorm.DB) error {
		page, err := findPage(tx, key)
		switch {
		case err != nil:
			return err
		case page == nil:
			delivered = &order.Delivery{PageKey: key}
			return nil
		case page.DeliveredAt != nil:
			d := page.delivery()
			delivered = &d
			return nil
		}
		manifest, err = readManifest(tx, *page)
		return err
	})
	if err != nil {
		return order.Manifest{}, nil, fmt.Errorf("read page %s: %w", key, classify(err))
	}
	return manifest, delivered, nil
}

func readManifest(tx *gorm.DB, page pageRow) (order.Manifest, error) {
	var rows []*orderRow
	err := tx.Table("orders AS o").Select("o.id, o.customer_id").Joins("JOIN handoff_orders AS h ON h.order_id = o.id").
		Where("h.handoff_id = ? AND h.page = ? AND h.rejected_cutoff IS NULL", page.HandOffID, page.Page).Order("o.id").Find(&rows).Error
	if err != nil {
		return order.Manifest{}, err
	}
	lines, err := linesByOrder(tx, idsOf(rows))
	if err != nil {
		return order.Manifest{}, err
	}
	manifest := order.Manifest{PageKey: page.key(), Cutoff: page.Cutoff, Orders: make([]order.Parcel, len(rows))}
	for i, row := range rows {
		parcel := order.Parcel{ID: row.ID, CustomerID: row.CustomerID}
		for _, l := range lines[row.ID] {
			parcel.Lines = append(parcel.Lines, order.ParcelLine{SKU: l.SKU, Quantity: l.Quantity})
		}
		manifest.Orders[i] = parcel
	}
	return manifest, nil
}

// Deliver implements the port of package activities. A rejected order is assigned to nothing any more: the warehouse surely
// does not have it, a hand-off with a later cutoff tries it again, and until then it may be cancelled. An order whose row somebody has
// changed by hand meanwhile asks for a person, since the warehouse has it, and holds no other up.
func (db *DB) Deliver(ctx context.Context, key order.PageKey, rejected []order.Refusal) (delivery order.Delivery, err error) {
	err = db.onPage(ctx, key, func(tx *gorm.DB, page *pageRow, ids []order.ID, rows map[order.ID]*orderRow) error {
		if page.DeliveredAt != nil {
			delivery = page.delivery()
			return nil
		}
		at := now()
		reasons := make(map[order.ID]string, len(rejected))
		for _, r := range rejected {
			reasons[r.ID] = r.Reason
		}
		var taken, strange []order.ID
		for _, id := range ids {
			reason, refused := reasons[id]
			if !refused {
				if row := rows[id]; row != nil && row.Status == order.Confirmed {
					taken = append(taken, id)
				} else if row != nil && row.Status != order.HandedOff {
					strange = append(strange, id)
				}
				continue
			}
			page.Rejected++
			if err := ask(tx, []order.ID{id}, "the warehouse does not take it: "+reason, at); err != nil {
				return err
			}
			if err := tx.Model(&assignmentRow{OrderID: id}).Update("rejected_cutoff", page.Cutoff).Error; err != nil {
				return err
			}
		}
		if len(taken) > 0 {
			columns := needsNobody(map[string]any{"status": order.HandedOff, "updated_at": at})
			if db.owesEvents {
				columns["settled_at"] = nil
			}
			if err := tx.Model(&orderRow{}).Where("id IN ? AND status = ?", taken, order.Confirmed).Updates(columns).Error; err != nil {
				return err
			}
		}
		if len(strange) > 0 {
			if err := ask(tx, strange, "the warehouse has it, although its row was changed by hand", at); err != nil {
				return err
			}
		}
		page.DeliveredAt, page.Problem = &at, ""
		delivery = page.delivery()
		return tx.Save(page).Error
	})
	if err != nil {
		return order.Delivery{}, fmt.Errorf("deliver page %s: %w", key, err)
	}
	return delivery, nil
}

// Refuse implements the port of package activities.
func (db *DB) Refuse(ctx context.Context, key order.PageKey, problem string) (delivery order.Delivery, err error) {
	problem = clip(problem)
	err = db.onPage(ctx, key, func(tx *gorm.DB, page *pageRow, ids []order.ID, _ map[order.ID]*orderRow) error {
		delivery = page.delivery()
		if page.DeliveredAt != nil {
			return nil
		}
		delivery.HandedOff, delivery.Refused = 0, problem
		if err := tx.Model(page).Update("problem", problem).Error; err != nil {
			return err
		}
		return ask(tx, ids, "the warehouse refuses its page "+key.String()+": "+problem, now())
	})
	if err != nil {
		return order.Delivery{}, fmt.Errorf("refuse page %s: %w", key, err)
	}
	return delivery, nil
}

// ask asks for a person on orders.
func ask(tx *gorm.DB, ids []order.ID, reason string, at time.Time) error {
	return tx.Model(&orderRow{}).Where("id IN ?", ids).Updates(map[string]any{
		"attention_since": gorm.Expr("COALESCE(attention_since, ?)", at), "attention_reason": clip(reason), "updated_at": at,
	}).Error
}

// onPage runs fn with the orders of the page locked, and then the page.
func (db *DB) onPage(ctx context.Context, key order.PageKey,
	fn func(tx *gorm.DB, page *pageRow, ids []order.ID, rows map[order.ID]*orderRow) error,
) error {
	return db.transact(ctx, func(tx *gorm.DB) error {
		var assigned []assignmentRow
		if err := tx.Where("handoff_id = ? AND page = ?", key.HandOff, key.Page).Order("order_id").Find(&assigned).Error; err != nil {
			return err
		}
		ids := make([]order.ID, len(assigned))
		keys := make([]order.Key, len(assigned))
		for i, a := range assigned {
			ids[i], keys[i] = a.OrderID, order.Key{ID: a.OrderID}
		}
		rows, err := lockRows(tx, keys)
		if err != nil {
			return err
		}
		var page pageRow
		err = tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).
			Where("handoff_id = ? AND page = ?", key.HandOff, key.Page).Take(&page).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return order.Failf(order.Final, "there is no such page")
		}
		if err != nil {
			return err
		}
		return fn(tx, &page, ids, rows)
	})
}

// Undelivered implements the port of package activities.
func (db *DB) Undelivered(ctx context.Context, after order.PagePlace, limit int) ([]order.PagePlace, error) {
	q := db.gorm.WithContext(ctx).Where("delivered_at IS NULL").Order("assigned_at, handoff_id, page").Limit(limit)
	if !after.AssignedAt.IsZero() {
		q = q.Where("(assigned_at > ? OR (assigned_at = ? AND (handoff_id > ? OR (handoff_id = ? AND page > ?))))",
			after.AssignedAt, after.AssignedAt, after.HandOff, after.HandOff, after.Page)
	}
	var pages []pageRow
	if err := q.Find(&pages).Error; err != nil {
		return nil, fmt.Errorf("read undelivered pages: %w", classify(err))
	}
	places := make([]order.PagePlace, len(pages))
	for i, p := range pages {
		places[i] = order.PagePlace{PageKey: p.key(), AssignedAt: p.AssignedAt, Problem: p.Problem != ""}
	}
	return places, nil
}

// CountUnassigned implements the port of package activities.
func (db *DB) CountUnassigned(ctx context.Context, cutoff time.Time, limit int) (int, error) {
	var left int64
	tx := db.gorm.WithContext(ctx)
	err := tx.Model(&pageRow{}).Where("delivered_at IS NULL").Select("COALESCE(SUM(orders), 0)").Scan(&left).Error
	n := int(left)
	for after, more := (Position{}), true; more && n < limit && err == nil; {
		var counted int64
		counted, after, more, err = db.countPart(tx, cutoff.UTC().Truncate(time.Microsecond), after)
		n += int(counted)
	}
	if err != nil {
		return 0, fmt.Errorf("count orders to hand off: %w", classify(err))
	}
	return min(n, limit), nil
}

// ordersCounted is how many confirmed orders one statement looks at: those of a large day, all at once, would take longer than a connection
// waits for its answer. The package's own tests count fewer.
var ordersCounted = 50_000

// countPart counts the unassigned orders of those that come next, and tells behind which it stopped and whether there are more.
func (db *DB) countPart(tx *gorm.DB, cutoff time.Time, after Position) (n int64, last Position, more bool, err error) {
	const behind = "o.created_at >= ? AND (o.created_at > ? OR o.id > ?)" // the first half lets the index begin at the place
	next := func(q *gorm.DB) *gorm.DB {
		if after.ID == "" {
			return q
		}
		return q.Where(behind, after.CreatedAt, after.CreatedAt, after.ID)
	}
	var ends []Position
	err = next(tx.Table("orders AS o").Where("o.status = ? AND o.created_at <= ?", order.Confirmed, cutoff)).
		Order("o.created_at, o.id").Offset(ordersCounted - 1).Limit(1).Select("o.created_at, o.id").Scan(&ends).Error
	if err != nil {
		return 0, last, false, err
	}
	part := next(db.unassigned(tx, cutoff))
	if len(ends) > 0 {
		last = ends[0]
		part = part.Where("o.created_at <= ? AND (o.created_at < ? OR o.id <= ?)", last.CreatedAt, last.CreatedAt, last.ID)
	}
	err = part.Count(&n).Error
	return n, last, len(ends) > 0, err
}

// Assigned tells whether an order is assigned to a hand-off, so that it cannot be cancelled any more.
func (db *DB) Assigned(ctx context.Context, id order.ID) (bool, error) {
	assigned, err := assignedOf(db.gorm.WithContext(ctx), []order.ID{id})
	if err != nil {
		return false, fmt.Errorf("look for the hand-off of %s: %w", id, err)
	}
	return assigned[id], nil
}

// lockWithAssignments is lockOrders for who has to know which orders are assigned to a hand-off.
func lockWithAssignments(tx *gorm.DB, keys []order.Key) (map[order.ID]*orderRow, error) {
	rows, err := lockOrders(tx, keys)
	if err != nil || len(rows) == 0 {
		return rows, err
	}
	assigned, err := assignedOf(tx, slices.Collect(maps.Keys(rows)))
	for id, row := range rows {
		row.assigned = assigned[id]
	}
	return rows, err
}

func assignedOf(tx *gorm.DB, ids []order.ID) (map[order.ID]bool, error) {
	var rows []assignmentRow
	err := tx.Where("order_id IN ? AND rejected_cutoff IS NULL", ids).Find(&rows).Error
	assigned := make(map[order.ID]bool, len(rows))
	for _, r := range rows {
		assigned[r.OrderID] = true
	}
	return assigned, err
}
