package orderdb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"holdfast/order"
)

// Open implements the port of package activities. A row that exists is the answer. Otherwise each
// order is held if its units are available, in the order of the argument, and rejected if not, or if
// Redis refused it.
func (db *DB) Open(ctx context.Context, openings []order.Opening) ([]order.Row, error) {
	rows := make([]order.Row, len(openings))
	err := db.transact(ctx, func(tx *gorm.DB) error {
		keys := make([]order.Key, len(openings))
		for i, o := range openings {
			keys[i] = o.Order.Key()
		}
		existing, err := lockOrders(tx, keys)
		if err != nil {
			return err
		}
		var fresh []*order.Opening
		for i := range openings {
			if existing[keys[i].ID] == nil {
				fresh = append(fresh, &openings[i])
			}
		}
		inserted, err := db.insertOrders(tx, fresh)
		if err != nil {
			return err
		}
		if err := takeOver(tx, openings, existing); err != nil {
			return err
		}
		for i, key := range keys {
			if row := inserted[key.ID]; row != nil && existing[key.ID] == nil {
				existing[key.ID] = row
				rows[i] = sameOrder(row, key, true)
				continue
			}
			rows[i] = sameOrder(existing[key.ID], key, false)
		}
		return addHolds(tx, keys, rows)
	})
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return rows, nil
}

// takeOver records who carries an order now that has a row already.
func takeOver(tx *gorm.DB, openings []order.Opening, existing map[order.ID]*orderRow) error {
	for _, o := range openings {
		row := existing[o.Order.ID]
		if !o.TakesOver || row == nil || row.key() != o.Order.Key() || row.Status != order.Pending || row.WorkflowID == o.WorkflowID {
			continue
		}
		if err := tx.Model(&orderRow{}).Where("id = ?", row.ID).Update("workflow_id", o.WorkflowID).Error; err != nil {
			return err
		}
	}
	return nil
}

// insertOrders holds what can be held and records every order. Rows are inserted in id order, as all
// transactions lock them, and after the stock is locked.
func (db *DB) insertOrders(tx *gorm.DB, openings []*order.Opening) (map[order.ID]*orderRow, error) {
	inserted := make(map[order.ID]*orderRow, len(openings))
	if len(openings) == 0 {
		return inserted, nil
	}
	var wanted []string
	for _, o := range openings {
		if !o.Reservation.Refused() {
			wanted = append(wanted, o.Order.SKUs()...)
		}
	}
	shelf, err := lockStock(tx, wanted)
	if err != nil {
		return nil, err
	}
	counted, err := countUnits(tx, shelf, openings)
	if err != nil {
		return nil, err
	}
	at := now()
	rows := make([]orderRow, 0, len(openings))
	var lines []lineRow
	for _, o := range openings {
		if inserted[o.Order.ID] != nil {
			continue // the same order twice in one batch: the first decides
		}
		rows = append(rows, newRow(o, shelf, counted, at))
		row := &rows[len(rows)-1]
		if db.owesEvents && row.SettledAt != nil {
			row.SettledAt, row.OnlyEvent = nil, true
		}
		inserted[o.Order.ID] = row
		orderLines := lineRows(o.Order)
		if row.Held {
			shelf.stamp(orderLines)
			row.holds = holdsOf(orderLines)
		}
		lines = append(lines, orderLines...)
	}
	if err := shelf.write(tx); err != nil {
		return nil, err
	}
	sorted := slices.SortedFunc(slices.Values(rows), func(a, b orderRow) int { return cmp.Compare(a.ID, b.ID) })
	if err := tx.CreateInBatches(sorted, insertBatch).Error; err != nil {
		return nil, err
	}
	return inserted, db.insertLines(tx, lines)
}

// insertLines writes the lines of rows that were just inserted. Where lines of such an order are there
// already, somebody deleted its row by hand and left them: they belong to nothing and would be sold with
// the new ones, or for ever stop the order from reaching its end.
func (db *DB) insertLines(tx *gorm.DB, lines []lineRow) error {
	err := tx.CreateInBatches(lines, insertBatch).Error
	if !db.dialect.duplicate(err) {
		return err
	}
	ids := make([]order.ID, len(lines))
	for i, l := range lines {
		ids[i] = l.OrderID
	}
	if err := tx.Where("order_id IN ?", slices.Compact(ids)).Delete(&lineRow{}).Error; err != nil {
		return err
	}
	return tx.CreateInBatches(lines, insertBatch).Error
}

// insertBatch keeps one INSERT well below MySQL's 65,535 placeholders and SQLite's 32,766. It is no more
// than a batch of orders has, since SQLite's driver takes time that grows with their square.
const insertBatch = 200

// newRow decides a new order by the shelf and by what its customer has, and takes its units from there.
func newRow(o *order.Opening, shelf shelf, counted customerUnits, at time.Time) orderRow {
	row := orderRow{
		ID: o.Order.ID, Fingerprint: o.Order.Fingerprint(), CustomerID: o.Order.CustomerID,
		Currency: o.Order.Currency, PaymentMethod: o.Order.PaymentMethod, Total: o.Order.Total().Minor,
		Status: order.Rejected, WorkflowID: o.WorkflowID, CreatedAt: at, UpdatedAt: at,
	}
	missing, short := shelf.lacks(o.Order.Lines)
	beyond := counted.beyond(shelf, o.Order)
	switch {
	case o.Reservation.Verdict == order.UnknownSKU:
		row.Reason, row.Detail = order.ReasonUnknownSKU, skuList(o.Reservation.SKUs)
	case o.Reservation.Verdict == order.SoldOut:
		row.Reason, row.Detail = order.ReasonSoldOut, skuList(o.Reservation.SKUs)
	case o.Reservation.Verdict == order.LimitExceeded:
		row.Reason, row.Detail = order.ReasonLimitExceeded, skuList(o.Reservation.SKUs)
	case len(missing) > 0:
		row.Reason, row.Detail = order.ReasonUnknownSKU, skuList(missing)
	case len(short) > 0:
		row.Reason, row.Detail = order.ReasonSoldOut, skuList(short)
	case len(beyond) > 0:
		row.Reason, row.Detail = order.ReasonLimitExceeded, skuList(beyond)
	default:
		row.Status, row.Held = order.Pending, true
		shelf.reserve(o.Order.Lines)
		counted.add(o.Order)
	}
	// An order that Redis refused without reserving anything, or never saw, leaves nothing to undo.
	if row.Status.Closed() && (o.Reservation.Refused() || o.Reservation.Verdict == order.Unreserved) && !o.Reservation.Taken {
		row.SettledAt = &at
	}
	return row
}

// maxDetail is the width of orders.detail in characters.
const maxDetail = 512

// skuList joins SKUs for the row's detail; a list that is too long ends with how many more there are.
func skuList(skus []string) string {
	const room = maxDetail - len(" and 100 more")
	var b strings.Builder
	for i, sku := range skus {
		if b.Len()+len(sku)+2 > room {
			fmt.Fprintf(&b, " and %d more", len(skus)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(sku)
	}
	return b.String()
}

func lineRows(o order.Order) []lineRow {
	rows := make([]lineRow, len(o.Lines))
	for i, l := range o.Lines {
		rows[i] = lineRow{OrderID: o.ID, SKU: l.SKU, Quantity: l.Quantity, UnitPrice: l.UnitPrice}
	}
	return rows
}

// lockOrders locks the rows of the orders that exist, in id order, and gives what stays of those that were purged as well.
func lockOrders(tx *gorm.DB, keys []order.Key) (map[order.ID]*orderRow, error) {
	found, err := lockRows(tx, keys)
	if err != nil {
		return nil, err
	}
	var missing []order.ID
	for _, key := range keys {
		if found[key.ID] == nil {
			missing = append(missing, key.ID)
		}
	}
	stones, err := stonesOf(tx, missing)
	for _, stone := range stones {
		found[stone.OrderID] = stone.order()
	}
	return found, err
}

// lockRows is lockOrders for who means to find rows alone.
func lockRows(tx *gorm.DB, keys []order.Key) (map[order.ID]*orderRow, error) {
	ids := make([]order.ID, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	var rows []orderRow
	err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).
		Where("id IN ?", ids).Order("id").Find(&rows).Error
	found := make(map[order.ID]*orderRow, len(rows))
	for i := range rows {
		found[rows[i].ID] = &rows[i]
	}
	return found, err
}

// sameOrder is what a step says of the row it found under the key's id.
func sameOrder(row *orderRow, key order.Key, changed bool) order.Row {
	switch {
	case row == nil:
		return order.Row{Missing: true}
	case row.Fingerprint != key.Fingerprint:
		return order.Row{KeyReused: true}
	}
	return row.answer(changed)
}
