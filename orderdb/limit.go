package orderdb

import (
	"gorm.io/gorm"

	"holdfast/order"
)

// customerUnits are the units of SKUs with a limit that customers have. Only the pairs that a batch asks for are in
// it.
type customerUnits map[customerSKU]int64

type customerSKU struct{ customer, sku string }

// countUnits adds up what orders on record hold or have sold to the customers of those orders that want a SKU with a
// limit. Nothing is asked if none does.
//
// The stock rows are locked by now. Whoever opens or closes an order of such a SKU locks its row first and keeps it
// until he has committed, and under READ COMMITTED this statement sees all that is committed when it begins: so the
// sum is exact without a lock on any other order, and stays so until this transaction ends.
func countUnits(tx *gorm.DB, shelf shelf, openings []*order.Opening) (customerUnits, error) {
	counted := make(customerUnits)
	var customers, skus []string
	for _, o := range openings {
		if o.Reservation.Refused() {
			continue
		}
		for _, l := range o.Order.Lines {
			if slot := shelf[l.SKU]; slot != nil && slot.LimitPerCustomer != nil {
				counted[customerSKU{o.Order.CustomerID, l.SKU}] = 0
				customers, skus = append(customers, o.Order.CustomerID), append(skus, l.SKU)
			}
		}
	}
	if len(counted) == 0 {
		return counted, nil
	}
	var sums []struct {
		CustomerID string
		SKU        string `gorm:"column:sku"`
		Units      int64
	}
	// CROSS and NOT IN have SQLite begin with the few orders of the customers, as the servers do by themselves, and not
	// with the many of the SKU or of a status.
	err := tx.Table("orders AS o").Joins("CROSS JOIN order_lines AS l ON l.order_id = o.id").
		Where("o.customer_id IN ? AND l.sku IN ?", distinct(customers), distinct(skus)).
		Where("o.status NOT IN ?", []order.Status{order.Rejected, order.Cancelled}).
		Select("o.customer_id AS customer_id, l.sku AS sku, SUM(l.quantity) AS units").
		Group("o.customer_id, l.sku").Scan(&sums).Error
	for _, s := range sums {
		if key := (customerSKU{s.CustomerID, s.SKU}); counted.has(key) {
			counted[key] = s.Units
		}
	}
	return counted, err
}

// beyond lists the order's SKUs of which its customer would have more units than he may.
func (c customerUnits) beyond(shelf shelf, o order.Order) (skus []string) {
	for _, l := range o.Lines {
		slot := shelf[l.SKU]
		if slot == nil || slot.LimitPerCustomer == nil {
			continue
		}
		if c[customerSKU{o.CustomerID, l.SKU}]+l.Quantity > *slot.LimitPerCustomer {
			skus = append(skus, l.SKU)
		}
	}
	return skus
}

// add counts the order's units as well.
func (c customerUnits) add(o order.Order) {
	for _, l := range o.Lines {
		if key := (customerSKU{o.CustomerID, l.SKU}); c.has(key) {
			c[key] += l.Quantity
		}
	}
}

func (c customerUnits) has(key customerSKU) bool {
	_, asked := c[key]
	return asked
}
