package orderdb

import (
	"time"

	"holdfast/order"
)

// orderRow is a row of orders.
type orderRow struct {
	ID              order.ID          `gorm:"primaryKey"`
	Fingerprint     order.Fingerprint `gorm:"column:fingerprint"`
	CustomerID      string
	Currency        order.Currency
	PaymentMethod   string
	Total           int64 // minor units
	Status          order.Status
	Reason          order.Reason
	Detail          string
	Held            bool // the row was PENDING at some time
	WorkflowID      string
	CreatedAt       time.Time
	UpdatedAt       time.Time
	SettledAt       *time.Time // nil as long as something is owed
	AttentionSince  *time.Time // nil if no person is needed
	AttentionReason string
	ByHand          order.Answer // of a person, on the charge; empty if nobody was needed
	ByHandNote      string
	ByHandAt        *time.Time // nil if nobody was needed
	// Announced is the status that others were told of last; empty if of none.
	Announced order.Status
	// WasConfirmed: the order was CONFIRMED before it was cancelled.
	WasConfirmed bool
	// OnlyEvent: the order is closed, and nothing is owed for it but that others are told.
	OnlyEvent bool

	holds    []order.Hold // as far as they are known; not a column
	assigned bool         // to a hand-off, if lockWithAssignments read it; not a column
	purgedAt *time.Time   // nil unless this is what a stone remembers; not a column
}

// TableName implements gorm's schema.Tabler.
func (orderRow) TableName() string { return "orders" }

// lineRow is a row of order_lines.
type lineRow struct {
	OrderID   order.ID `gorm:"primaryKey"`
	SKU       string   `gorm:"primaryKey;column:sku"`
	Quantity  int64
	UnitPrice int64
	// HeldVersion is the version of the stock row that first held the units; 0 if none did.
	HeldVersion int64
}

// TableName implements gorm's schema.Tabler.
func (lineRow) TableName() string { return "order_lines" }

// stockRow is a row of stock.
type stockRow struct {
	SKU      string `gorm:"primaryKey;column:sku"`
	OnHand   int64
	Reserved int64
	Version  int64 // counts the row's changes
	// LimitPerCustomer is how many units one customer may have; nil for any number.
	LimitPerCustomer *int64
	CreatedAt        time.Time
}

// TableName implements gorm's schema.Tabler.
func (stockRow) TableName() string { return "stock" }

// movementRow is a row of stock_movements.
type movementRow struct {
	SKU       string `gorm:"primaryKey;column:sku"`
	Kind      string `gorm:"primaryKey"`
	Reference string `gorm:"primaryKey"`
	Quantity  int64
	Reason    string
	CreatedAt time.Time
	// OwesEvent: others are still to be told of it.
	OwesEvent bool
}

// TableName implements gorm's schema.Tabler.
func (movementRow) TableName() string { return "stock_movements" }

// key is what a request must have to mean this row.
func (r orderRow) key() order.Key { return order.Key{ID: r.ID, Fingerprint: r.Fingerprint} }

// answer is what a step says of the row.
func (r orderRow) answer(changed bool) order.Row {
	return order.Row{
		Status: r.Status, Reason: r.Reason, Detail: r.Detail,
		Changed: changed, Held: r.Held, Settled: r.SettledAt != nil, ByHand: r.ByHand, CreatedAt: r.CreatedAt,
		Holds: r.holds, OwesEvent: r.owesEvent(),
	}
}
