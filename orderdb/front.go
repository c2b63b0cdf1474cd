package orderdb

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"holdfast/order"
)

// Available implements stock.Source.
func (db *DB) Available(ctx context.Context, skus []string) (map[string]order.Available, error) {
	stocks, err := db.GetStocks(ctx, skus)
	if err != nil {
		return nil, err
	}
	available := make(map[string]order.Available, len(stocks))
	for _, s := range stocks {
		available[s.SKU] = order.Available{Units: s.Available(), Version: s.Version, Limit: s.LimitPerCustomer}
	}
	return available, nil
}

// frontRow is the one row of front.
type frontRow struct {
	ID    int64 `gorm:"primaryKey"`
	Epoch int64
}

// TableName implements gorm's schema.Tabler.
func (frontRow) TableName() string { return "front" }

// frontID is the row's id.
const frontID = 1

// Epoch implements stock.Source. Should the row have been deleted by hand, another epoch begins.
func (db *DB) Epoch(ctx context.Context) (epoch int64, err error) {
	var rows []frontRow
	err = db.gorm.WithContext(ctx).Limit(1).Find(&rows, frontID).Error
	switch {
	case err != nil:
		return 0, fmt.Errorf("read the epoch of the counts: %w", classify(err))
	case len(rows) == 0:
		return db.NextEpoch(ctx, 0)
	}
	return rows[0].Epoch, nil
}

// NextEpoch implements stock.Source.
func (db *DB) NextEpoch(ctx context.Context, known int64) (epoch int64, err error) {
	err = db.transact(ctx, func(tx *gorm.DB) error {
		var rows []frontRow
		err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Limit(1).Find(&rows, frontID).Error
		switch {
		case err != nil:
			return err
		case len(rows) == 0:
			epoch = max(known+1, now().UnixMilli())
			return tx.Create(&frontRow{ID: frontID, Epoch: epoch}).Error
		case rows[0].Epoch != known:
			epoch = rows[0].Epoch
			return nil
		}
		epoch = max(known+1, now().UnixMilli()) // also after those of a database that was restored from before them
		return tx.Model(&frontRow{}).Where("id = ?", frontID).Update("epoch", epoch).Error
	})
	if err != nil {
		return 0, fmt.Errorf("begin another epoch of the counts: %w", err)
	}
	return epoch, nil
}
