package orderdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"holdfast/order"
)

// Balance is both sides of a SKU's two conservation equations, read in one snapshot: OnHand must be
// Moved minus Sold, and Reserved must be Held. All are units.
type Balance struct {
	Stock
	Moved int64 // the sum of the stock movements
	Sold  int64 // the lines of CONFIRMED and HANDED_OFF orders
	Held  int64 // the lines of PENDING orders
}

// Balances reads up to limit SKUs that come after the given one, in SKU order; "" begins.
func (db *DB) Balances(ctx context.Context, after string, limit int) ([]Balance, error) {
	return db.balances(ctx, func(tx *gorm.DB) *gorm.DB { return tx.Where("sku > ?", after).Limit(limit) })
}

// BalancesOf reads those of the SKUs that exist, in SKU order.
func (db *DB) BalancesOf(ctx context.Context, skus []string) ([]Balance, error) {
	return db.balances(ctx, func(tx *gorm.DB) *gorm.DB { return tx.Where("sku IN ?", skus) })
}

func (db *DB) balances(ctx context.Context, which func(tx *gorm.DB) *gorm.DB) ([]Balance, error) {
	var balances []Balance
	err := db.snapshot(ctx, func(tx *gorm.DB) error {
		stocks, err := readStock(which(tx))
		if err != nil || len(stocks) == 0 {
			return err
		}
		skus := make([]string, len(stocks))
		for i, s := range stocks {
			skus[i] = s.SKU
		}
		moved, sold, held, err := sums(tx, skus)
		if err != nil {
			return err
		}
		for _, s := range stocks {
			balances = append(balances, Balance{Stock: s, Moved: moved[s.SKU], Sold: sold[s.SKU], Held: held[s.SKU]})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	return balances, nil
}

// sums adds up what the SKUs' movements, sold lines and held lines come to.
func sums(tx *gorm.DB, skus []string) (moved, sold, held map[string]int64, err error) {
	if moved, err = sumBySKU(tx.Table("stock_movements AS m").Where("m.sku IN ?", skus), "m"); err != nil {
		return nil, nil, nil, err
	}
	sold = make(map[string]int64, len(skus))
	if err = addSold(tx, skus, sold); err != nil {
		return nil, nil, nil, err
	}
	held, err = sumBySKU(linesIn(tx, skus, order.Pending), "l")
	return moved, sold, held, err
}

// linesSummed is how many lines of sold orders one statement adds up: those of a hot SKU, all at once, would take longer than a
// connection waits for its answer. The package's own tests add up fewer, so that each of them adds up in parts.
var linesSummed = 50_000

// addSold adds up the lines of sold orders: of all the SKUs at once if they are few enough, otherwise of each half of them, and of a single
// SKU in parts.
func addSold(tx *gorm.DB, skus []string, sold map[string]int64) error {
	if len(skus) == 1 {
		return addSoldInParts(tx, skus[0], sold)
	}
	var lines int64
	some := tx.Model(&lineRow{}).Select("1").Where("sku IN ?", skus).Limit(linesSummed + 1)
	if err := tx.Table("(?) AS some", some).Count(&lines).Error; err != nil {
		return err
	}
	if lines <= int64(linesSummed) {
		return add(linesIn(tx, skus, order.Confirmed, order.HandedOff), sold)
	}
	half := len(skus) / 2
	if err := addSold(tx, skus[:half], sold); err != nil {
		return err
	}
	return addSold(tx, skus[half:], sold)
}

func addSoldInParts(tx *gorm.DB, sku string, sold map[string]int64) error {
	for after := order.ID(""); ; {
		var upTo []order.ID
		err := tx.Model(&lineRow{}).Where("sku = ? AND order_id > ?", sku, after).Order("order_id").
			Offset(linesSummed-1).Limit(1).Pluck("order_id", &upTo).Error
		if err != nil {
			return err
		}
		part := linesIn(tx, []string{sku}, order.Confirmed, order.HandedOff).Where("l.order_id > ?", after)
		if len(upTo) == 0 {
			return add(part, sold)
		}
		if err := add(part.Where("l.order_id <= ?", upTo[0]), sold); err != nil {
			return err
		}
		after = upTo[0]
	}
}

// add adds what the lines come to.
func add(lines *gorm.DB, units map[string]int64) error {
	some, err := sumBySKU(lines, "l")
	for sku, n := range some {
		units[sku] += n
	}
	return err
}

func linesIn(tx *gorm.DB, skus []string, statuses ...order.Status) *gorm.DB {
	return tx.Table("order_lines AS l").Joins("JOIN orders AS o ON o.id = l.order_id").
		Where("l.sku IN ? AND o.status IN ?", skus, statuses)
}

func sumBySKU(q *gorm.DB, table string) (map[string]int64, error) {
	var sums []struct {
		SKU   string `gorm:"column:sku"`
		Units int64
	}
	err := q.Select(table + ".sku AS sku, SUM(" + table + ".quantity) AS units").Group(table + ".sku").Scan(&sums).Error
	bySKU := make(map[string]int64, len(sums))
	for _, s := range sums {
		bySKU[s.SKU] = s.Units
	}
	return bySKU, err
}

// LostStock reads up to limit SKUs that have movements but no stock row, in SKU order: nothing deletes a
// SKU, so someone did it by hand.
func (db *DB) LostStock(ctx context.Context, limit int) ([]string, error) {
	var skus []string
	err := db.gorm.WithContext(ctx).Table("stock_movements AS m").Joins("LEFT JOIN stock AS s ON s.sku = m.sku").
		Where("s.sku IS NULL").Order("m.sku").Limit(limit).Distinct().Pluck("m.sku", &skus).Error
	if err != nil {
		return nil, fmt.Errorf("read stock movements without stock: %w", err)
	}
	return skus, nil
}

// End is where an order stands, read in one snapshot with its lines.
type End struct {
	ID        order.ID
	Currency  order.Currency
	Status    order.Status
	Reason    order.Reason
	Total     int64 // minor units
	CreatedAt time.Time
	SettledAt *time.Time // nil as long as something is owed
	OnlyEvent bool       // it is closed, and nothing is owed but that others are told
	Lines     int        `gorm:"-"`
	LineTotal int64      `gorm:"-"` // what the lines come to, in minor units
	// Purged: the order's rows were deleted for their age. Total is what it was charged for good, and there are no lines.
	Purged bool `gorm:"-"`
}

// Ends reads up to limit orders that come after the given id, in id order, purged ones included; "" begins.
func (db *DB) Ends(ctx context.Context, after order.ID, limit int) ([]End, error) {
	return db.ends(ctx, "> ?", after, limit)
}

// EndsOf reads those of the orders that have a row or were purged, in id order.
func (db *DB) EndsOf(ctx context.Context, ids []order.ID) ([]End, error) {
	return db.ends(ctx, "IN ?", ids, len(ids))
}

// ends reads the orders whose id meets the condition, from their rows and from what stays of purged ones.
func (db *DB) ends(ctx context.Context, condition string, argument any, limit int) ([]End, error) {
	var ends []End
	err := db.snapshot(ctx, func(tx *gorm.DB) error {
		err := tx.Model(&orderRow{}).Where("id "+condition, argument).Order("id").Limit(limit).Find(&ends).Error
		if err != nil {
			return err
		}
		if err := addLines(tx, ends); err != nil {
			return err
		}
		var stones []stoneRow
		if err := tx.Where("order_id "+condition, argument).Order("order_id").Limit(limit).Find(&stones).Error; err != nil {
			return err
		}
		for _, stone := range stones {
			ends = append(ends, stone.end())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	slices.SortFunc(ends, func(a, b End) int { return cmp.Compare(a.ID, b.ID) })
	return ends[:min(len(ends), limit)], nil
}

func addLines(tx *gorm.DB, ends []End) error {
	if len(ends) == 0 {
		return nil
	}
	ids := make([]order.ID, len(ends))
	for i, end := range ends {
		ids[i] = end.ID
	}
	lines, err := linesByOrder(tx, ids)
	for i := range ends {
		ends[i].Lines = len(lines[ends[i].ID])
		for _, l := range lines[ends[i].ID] {
			ends[i].LineTotal += l.Quantity * l.UnitPrice
		}
	}
	return err
}

// LostLines reads up to limit ids of orders that have lines but no row, in id order: those after the one id, up to
// and with the other, "" for no end.
func (db *DB) LostLines(ctx context.Context, after, upTo order.ID, limit int) ([]order.ID, error) {
	q := db.gorm.WithContext(ctx).Table("order_lines AS l").Joins("LEFT JOIN orders AS o ON o.id = l.order_id").
		Where("o.id IS NULL AND l.order_id > ?", after)
	if upTo != "" {
		q = q.Where("l.order_id <= ?", upTo)
	}
	var ids []order.ID
	if err := q.Order("l.order_id").Limit(limit).Distinct().Pluck("l.order_id", &ids).Error; err != nil {
		return nil, fmt.Errorf("read lines without an order: %w", err)
	}
	return ids, nil
}

// snapshot runs fn in a transaction in which every read sees the same moment and nothing is locked.
func (db *DB) snapshot(ctx context.Context, fn func(tx *gorm.DB) error) error {
	options := &sql.TxOptions{ReadOnly: true}
	if db.dialect.name == "mysql" {
		options.Isolation = sql.LevelRepeatableRead
	}
	return db.gorm.WithContext(ctx).Transaction(fn, options)
}
