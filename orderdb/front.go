package orderdb

import (
	"context"
	"fmt"

	"gorm.io/gorm"

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
		available[s.SKU] = order.Available{Units: s.Available(), Version: s.Version}
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

// Epoch implements stock.Source.
func (db *DB) Epoch(ctx context.Context) (int64, error) {
	epoch, err := readEpoch(db.gorm.WithContext(ctx))
	if err != nil {
		return 0, fmt.Errorf("read the epoch of the counts: %w", classify(err))
	}
	return epoch, nil
}

// NextEpoch implements stock.Source.
func (db *DB) NextEpoch(ctx context.Context, known int64) (epoch int64, err error) {
	err = db.transact(ctx, func(tx *gorm.DB) error {
		err := tx.Model(&frontRow{}).Where("id = ? AND epoch = ?", frontID, known).Update("epoch", known+1).Error
		if err != nil {
			return err
		}
		epoch, err = readEpoch(tx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("begin another epoch of the counts: %w", err)
	}
	return epoch, nil
}

func readEpoch(q *gorm.DB) (int64, error) {
	var row frontRow
	err := q.First(&row, frontID).Error
	return row.Epoch, err
}
