package orderdb

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"holdfast/order"
)

// holdsOf tells when the lines' units were held. Lines from before that was recorded begin at 0.
func holdsOf(lines []lineRow) []order.Hold {
	holds := make([]order.Hold, len(lines))
	for i, l := range lines {
		holds[i] = order.Hold{SKU: l.SKU, From: l.HeldVersion}
	}
	return holds
}

// given is holdsOf for lines whose units have just gone back to the shelf.
func (s shelf) given(lines []lineRow) []order.Hold {
	holds := holdsOf(lines)
	for i := range holds {
		if slot := s[holds[i].SKU]; slot != nil {
			holds[i].Until = slot.version()
		}
	}
	return holds
}

// addHolds reads the holds of rows that turned out to be closed.
func (db *DB) addHolds(ctx context.Context, keys []order.Key, rows []order.Row) error {
	for _, row := range rows {
		if row.Status.Closed() {
			return addHolds(db.gorm.WithContext(ctx), keys, rows)
		}
	}
	return nil
}

// addHolds reads the holds of those rows that held units and do not say yet when.
func addHolds(tx *gorm.DB, keys []order.Key, rows []order.Row) error {
	var ids []order.ID
	for i, row := range rows {
		if row.Held && row.Holds == nil {
			ids = append(ids, keys[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	lines, err := linesByOrder(tx, ids)
	if err != nil {
		return fmt.Errorf("read when the units were held: %w", classify(err))
	}
	for i, row := range rows {
		if row.Held && row.Holds == nil {
			rows[i].Holds = holdsOf(lines[keys[i].ID])
		}
	}
	return nil
}

func linesByOrder(tx *gorm.DB, ids []order.ID) (map[order.ID][]lineRow, error) {
	var lines []lineRow
	if err := tx.Where("order_id IN ?", ids).Order("order_id, sku").Find(&lines).Error; err != nil {
		return nil, err
	}
	byOrder := make(map[order.ID][]lineRow, len(ids))
	for _, l := range lines {
		byOrder[l.OrderID] = append(byOrder[l.OrderID], l)
	}
	return byOrder, nil
}
