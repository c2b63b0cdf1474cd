package orderdb

import (
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"holdfast/order"
)

// shelf is the locked stock rows of a transaction, with what it will change in them: however many
// orders a batch has, each row is written once.
type shelf map[string]*slot

type slot struct {
	stockRow
	onHandDelta, reservedDelta int64
}

// lockStock locks the rows of the SKUs that exist, in SKU order.
func lockStock(tx *gorm.DB, skus []string) (shelf, error) {
	if len(skus) == 0 {
		return shelf{}, nil
	}
	skus = distinct(skus)
	var rows []stockRow
	err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).
		Where("sku IN ?", skus).Order("sku").Find(&rows).Error
	s := make(shelf, len(rows))
	for _, row := range rows {
		s[row.SKU] = &slot{stockRow: row}
	}
	return s, err
}

// distinct sorts the names and drops repeats.
func distinct(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// version is the one that the slot's row will have once its changes are written.
func (s *slot) version() int64 { return s.Version + 1 }

// stamp notes on lines whose units were reserved when that was.
func (s shelf) stamp(lines []lineRow) {
	for i := range lines {
		lines[i].HeldVersion = s[lines[i].SKU].version()
	}
}

// lacks lists the lines' SKUs that do not exist and those with too few units.
func (s shelf) lacks(lines []order.Line) (missing, short []string) {
	for _, l := range lines {
		switch slot := s[l.SKU]; {
		case slot == nil:
			missing = append(missing, l.SKU)
		case slot.OnHand+slot.onHandDelta-slot.Reserved-slot.reservedDelta < l.Quantity:
			short = append(short, l.SKU)
		}
	}
	return missing, short
}

// reserve holds the lines' units.
func (s shelf) reserve(lines []order.Line) {
	for _, l := range lines {
		s[l.SKU].reservedDelta += l.Quantity
	}
}

// giveBack returns the lines' held units. A SKU whose row was deleted by hand has nothing to return to.
func (s shelf) giveBack(row *orderRow, lines []lineRow) {
	for _, l := range lines {
		if slot := s[l.SKU]; slot != nil {
			slot.reservedDelta -= l.Quantity
		}
	}
	row.holds = s.given(lines)
}

// takeBack returns the lines' units to where they can be sold, whether the row holds them or has sold them.
func (s shelf) takeBack(row *orderRow, lines []lineRow) {
	if !row.Status.Sold() {
		s.giveBack(row, lines)
		return
	}
	for _, l := range lines {
		if slot := s[l.SKU]; slot != nil {
			slot.onHandDelta += l.Quantity
		}
	}
	row.holds = s.given(lines)
}

// sell takes the lines' held units out of the stock.
func (s shelf) sell(_ *orderRow, lines []lineRow) {
	for _, l := range lines {
		if slot := s[l.SKU]; slot != nil {
			slot.reservedDelta -= l.Quantity
			slot.onHandDelta -= l.Quantity
		}
	}
}

// write applies the deltas. SKUs that change alike go in one statement, so that a batch of many SKUs does not take one for each.
// The WHERE repeats what the lock and the CHECK constraints promise, so that a bug above it cannot oversell.
func (s shelf) write(tx *gorm.DB) error {
	type delta struct{ onHand, reserved int64 }
	alike := make(map[delta][]string)
	for sku, slot := range s {
		if d := (delta{slot.onHandDelta, slot.reservedDelta}); d != (delta{}) {
			alike[d] = append(alike[d], sku)
		}
	}
	for d, skus := range alike {
		result := tx.Exec("UPDATE stock SET on_hand = on_hand + ?, reserved = reserved + ?, version = version + 1"+
			" WHERE sku IN ? AND reserved + ? BETWEEN 0 AND on_hand + ?",
			d.onHand, d.reserved, skus, d.reserved, d.onHand)
		if result.Error != nil {
			return result.Error
		}
		if missing := int64(len(skus)) - result.RowsAffected; missing != 0 {
			return order.Failf(order.Transient, "%d stock rows of %s do not allow on hand %+d, reserved %+d: see the audit",
				missing, skuList(skus), d.onHand, d.reserved)
		}
	}
	return nil
}
