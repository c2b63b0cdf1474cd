package orderdb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"gorm.io/gorm"

	"holdfast/order"
)

// Errors of changing stock.
var (
	// ErrStale: the stock changed since the version that the caller knows.
	ErrStale = errors.New("the stock has changed since that version")
	// ErrVersionRequired: a SKU that exists is only changed by who says which version he knows.
	ErrVersionRequired = errors.New("the SKU exists: say which version is to be changed")
	// ErrBelowReserved: open orders hold more units than would be left.
	ErrBelowReserved = errors.New("open orders hold more units than would be left")
	// ErrTooMany: the SKU would have more than order.MaxUnits.
	ErrTooMany = errors.New("a SKU cannot have that many units")
	// ErrLimit: the limit is not 1 to order.MaxLimitPerCustomer.
	ErrLimit = errors.New("a customer's limit cannot be that")
	// ErrReferenceReused: the reference was used for another quantity.
	ErrReferenceReused = errors.New("the reference stands for another quantity")
)

// Stock is the units of one SKU.
type Stock struct {
	SKU      string
	OnHand   int64 // units that exist unsold
	Reserved int64 // units held by PENDING orders
	Version  int64 // counts the changes
	// LimitPerCustomer is how many units one customer may have; 0 for any number.
	LimitPerCustomer int64
}

// Available is what can still be sold.
func (s Stock) Available() int64 { return s.OnHand - s.Reserved }

// Kinds of stock movements.
const (
	movementReceipt    = "receipt"
	movementAdjustment = "adjustment"
)

func (r stockRow) stock() Stock {
	s := Stock{SKU: r.SKU, OnHand: r.OnHand, Reserved: r.Reserved, Version: r.Version}
	if r.LimitPerCustomer != nil {
		s.LimitPerCustomer = *r.LimitPerCustomer
	}
	return s
}

// GetStocks reads the SKUs that exist, in SKU order.
func (db *DB) GetStocks(ctx context.Context, skus []string) ([]Stock, error) {
	return readStock(db.gorm.WithContext(ctx).Where("sku IN ?", skus))
}

// ListStock reads up to limit SKUs that come after the given one, in SKU order; "" begins.
func (db *DB) ListStock(ctx context.Context, after string, limit int) ([]Stock, error) {
	return readStock(db.gorm.WithContext(ctx).Where("sku > ?", after).Limit(limit))
}

func readStock(q *gorm.DB) ([]Stock, error) {
	var rows []stockRow
	if err := q.Order("sku").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read stock: %w", classify(err))
	}
	stocks := make([]Stock, len(rows))
	for i, row := range rows {
		stocks[i] = row.stock()
	}
	return stocks, nil
}

// Setting is what a SKU is set to.
type Setting struct {
	OnHand int64 // units, 0 to order.MaxUnits
	// LimitPerCustomer is how many units one customer may have, 1 to order.MaxLimitPerCustomer; 0 for any number.
	LimitPerCustomer int64
}

func (to Setting) check() error {
	switch {
	case to.OnHand < 0:
		return ErrBelowReserved
	case to.OnHand > order.MaxUnits:
		return ErrTooMany
	case to.LimitPerCustomer < 0 || to.LimitPerCustomer > order.MaxLimitPerCustomer:
		return ErrLimit
	}
	return nil
}

// limit is the setting's, as the column has it.
func (to Setting) limit() *int64 {
	if to.LimitPerCustomer == 0 {
		return nil
	}
	return &to.LimitPerCustomer
}

// SetStock sets the units on hand and the limit, and creates the SKU if it is unknown. One that exists is changed
// only if version is its version (ErrVersionRequired if version is 0, otherwise ErrStale) and open
// orders leave room for it (ErrBelowReserved). A version for an unknown SKU is ErrStale. No SKU can have
// fewer than no units (ErrBelowReserved), more than order.MaxUnits (ErrTooMany) or another limit than a
// Setting may have (ErrLimit). The difference in units is recorded as a movement. A new limit takes nothing from
// customers who have more.
func (db *DB) SetStock(ctx context.Context, sku string, to Setting, version int64) (s Stock, created bool, err error) {
	if err := to.check(); err != nil {
		return Stock{}, false, fmt.Errorf("set stock of %s: %w", sku, err)
	}
	err = db.transact(ctx, func(tx *gorm.DB) error {
		shelf, err := lockStock(tx, []string{sku})
		if err != nil {
			return err
		}
		slot := shelf[sku]
		created = slot == nil
		switch {
		case created && version != 0:
			return ErrStale
		case created:
			s, err = create(tx, sku, to)
			return err
		case version == 0:
			return ErrVersionRequired
		case version != slot.Version:
			return ErrStale
		case to.OnHand < slot.Reserved:
			return ErrBelowReserved
		}
		s, err = shelf.set(tx, sku, to)
		return err
	})
	if err != nil {
		return Stock{}, false, fmt.Errorf("set stock of %s: %w", sku, err)
	}
	return s, created, nil
}

// set changes a row as far as it differs, and answers it as it reads then.
func (s shelf) set(tx *gorm.DB, sku string, to Setting) (Stock, error) {
	slot := s[sku]
	if slot.stock().LimitPerCustomer != to.LimitPerCustomer {
		err := tx.Exec("UPDATE stock SET limit_per_customer = ?, version = version + 1 WHERE sku = ?", to.limit(), sku).Error
		if err != nil {
			return Stock{}, err
		}
		slot.LimitPerCustomer, slot.Version = to.limit(), slot.version()
	}
	if to.OnHand == slot.OnHand {
		return slot.stock(), nil
	}
	received := to.OnHand - slot.OnHand
	after, err := s.receive(tx, sku, received)
	if err != nil {
		return Stock{}, err
	}
	return after, move(tx, sku, movementAdjustment, "set "+rand.Text(), received, "set")
}

// create inserts a SKU's row. What is on record of a SKU whose row was deleted by hand stays right: the
// new row holds the units of its PENDING orders, and the movement makes up for what was moved and sold.
func create(tx *gorm.DB, sku string, to Setting) (Stock, error) {
	moved, sold, held, err := sums(tx, []string{sku})
	if err != nil {
		return Stock{}, err
	}
	var before int64 // versions go on where the lines on record know them, or Redis would take new for old
	err = tx.Model(&lineRow{}).Select("COALESCE(MAX(held_version), 0)").Where("sku = ?", sku).Scan(&before).Error
	if err != nil {
		return Stock{}, err
	}
	row := stockRow{
		SKU: sku, OnHand: to.OnHand, Reserved: held[sku], Version: before + 1,
		LimitPerCustomer: to.limit(), CreatedAt: now(),
	}
	if row.Reserved > to.OnHand {
		return Stock{}, ErrBelowReserved
	}
	if err := tx.Create(&row).Error; err != nil {
		return Stock{}, err
	}
	return row.stock(), move(tx, sku, movementAdjustment, "created "+rand.Text(), to.OnHand+sold[sku]-moved[sku], "created")
}

// Receive adds a receipt's units, or takes them away if quantity is negative. A reference counts once:
// a repeat answers what is there now and repeated is true; with another quantity it is
// ErrReferenceReused. The error is ErrNotFound for an unknown SKU, ErrBelowReserved or ErrTooMany if
// the result would be out of bounds, and an *order.ValidationError if the texts do not fit.
func (db *DB) Receive(ctx context.Context, sku string, quantity int64, reference, reason string) (s Stock, repeated bool, err error) {
	if problems := append(checkText("reference", reference, 1, maxReference), checkText("reason", reason, 0, maxMovementReason)...); len(problems) > 0 {
		return Stock{}, false, fmt.Errorf("receive %s: %w", sku, &order.ValidationError{Problems: problems})
	}
	err = db.transact(ctx, func(tx *gorm.DB) error {
		shelf, err := lockStock(tx, []string{sku})
		if err != nil {
			return err
		}
		slot := shelf[sku]
		if slot == nil {
			return ErrNotFound
		}
		var before []movementRow
		err = tx.Where("sku = ? AND kind = ? AND reference = ?", sku, movementReceipt, reference).Find(&before).Error
		if err != nil {
			return err
		}
		if repeated = len(before) > 0; repeated {
			s = slot.stock()
			if before[0].Quantity != quantity {
				return ErrReferenceReused
			}
			return nil
		}
		switch {
		case quantity > order.MaxUnits-slot.OnHand: // the sum itself might wrap around
			return ErrTooMany
		case slot.OnHand+quantity < slot.Reserved:
			return ErrBelowReserved
		}
		if s, err = shelf.receive(tx, sku, quantity); err != nil {
			return err
		}
		return tx.Create(&movementRow{
			SKU: sku, Kind: movementReceipt, Reference: reference, Quantity: quantity, Reason: reason, CreatedAt: now(), OwesEvent: db.owesEvents,
		}).Error
	})
	if err != nil {
		return Stock{}, false, fmt.Errorf("receive %s: %w", sku, err)
	}
	return s, repeated, nil
}

// receive changes the units on hand and answers the row as it reads then.
func (s shelf) receive(tx *gorm.DB, sku string, quantity int64) (Stock, error) {
	slot := s[sku]
	slot.onHandDelta = quantity
	if err := s.write(tx); err != nil {
		return Stock{}, err
	}
	after := slot.stock()
	after.OnHand += quantity
	if quantity != 0 { // write leaves a row alone in which nothing changes
		after.Version++
	}
	return after, nil
}

// Widths of the columns of stock_movements, in characters.
const (
	maxReference      = 128
	maxMovementReason = 255
)

// checkText tells whether a text fits its column. MySQL would refuse one that does not with an error
// that reads as if a repeat could help.
func checkText(field, text string, atLeast, atMost int) []order.Problem {
	if n := utf8.RuneCountInString(text); n >= atLeast && n <= atMost && utf8.ValidString(text) {
		return nil
	}
	return []order.Problem{{Field: field, Message: fmt.Sprintf("must be %d to %d characters of UTF-8", atLeast, atMost)}}
}

func move(tx *gorm.DB, sku, kind, reference string, quantity int64, reason string) error {
	return tx.Create(&movementRow{
		SKU: sku, Kind: kind, Reference: reference, Quantity: quantity, Reason: reason, CreatedAt: now(),
	}).Error
}

// Totals are the units of all SKUs together.
type Totals struct{ OnHand, Reserved int64 }

// Totals adds up the stock of all SKUs.
func (db *DB) Totals(ctx context.Context) (Totals, error) {
	var t Totals
	err := db.gorm.WithContext(ctx).Model(&stockRow{}).
		Select("COALESCE(SUM(on_hand), 0) AS on_hand, COALESCE(SUM(reserved), 0) AS reserved").Scan(&t).Error
	if err != nil {
		return Totals{}, fmt.Errorf("add up stock: %w", err)
	}
	return t, nil
}

// KnownSKUs tells which of the SKUs exist, in SKU order.
func (db *DB) KnownSKUs(ctx context.Context, skus []string) ([]string, error) {
	stocks, err := db.GetStocks(ctx, skus)
	if err != nil {
		return nil, err
	}
	known := make([]string, len(stocks))
	for i, s := range stocks {
		known[i] = s.SKU
	}
	return slices.Clip(known), nil
}
