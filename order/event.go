package order

import "time"

// EventType says what has happened.
type EventType string

// The types.
const (
	EventConfirmed     EventType = "order.confirmed"
	EventRejected      EventType = "order.rejected"
	EventCancelled     EventType = "order.cancelled"
	EventHandedOff     EventType = "order.handed_off"
	EventStockReceived EventType = "stock.received"
)

// EventTypes lists every type.
func EventTypes() []EventType {
	return []EventType{EventConfirmed, EventRejected, EventCancelled, EventHandedOff, EventStockReceived}
}

// Event is what others are told. It is published at least once.
type Event struct {
	// ID is the same each time that the event is published, so that who has seen it knows it again.
	ID   string
	Type EventType
	// Subject is the order id or the SKU. Events of one subject come in their order, but for repeats.
	Subject string
	At      time.Time // when the row last changed that the event is about
	Data    any       // a Notice or a ReceiptNotice
}

// Notice is what is said of an order.
type Notice struct {
	OrderID    ID          `json:"order_id"`
	CustomerID string      `json:"customer_id"`
	Status     Status      `json:"status"`
	Reason     Reason      `json:"reason,omitempty"` // empty unless it is closed
	Currency   Currency    `json:"currency"`
	Total      int64       `json:"total"` // minor units
	Lines      []EventLine `json:"lines"` // in SKU order
}

// EventLine is a line of an order.
type EventLine struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unit_price"` // minor units
}

// ReceiptNotice is what is said of a receipt.
type ReceiptNotice struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"` // units; negative if some are gone
	Reference string `json:"reference"`
	Reason    string `json:"reason,omitempty"`
}

// eventOf is the type of the event that a status has.
var eventOf = map[Status]EventType{
	Confirmed: EventConfirmed, Rejected: EventRejected, Cancelled: EventCancelled, HandedOff: EventHandedOff,
}

// Event is what is said when the order has reached the status.
func (e Notice) Event(at time.Time) Event {
	kind := eventOf[e.Status]
	return Event{ID: string(e.OrderID) + ":" + string(kind), Type: kind, Subject: string(e.OrderID), At: at, Data: e}
}

// Event is what is said of the receipt.
func (e ReceiptNotice) Event(at time.Time) Event {
	return Event{ID: e.SKU + ":" + e.Reference, Type: EventStockReceived, Subject: e.SKU, At: at, Data: e}
}

// Announcement is what is owed of an order's events.
type Announcement struct {
	Key

	Status Status  // that the last of the events tells; empty for an order that owes none
	Events []Event // in their order; none if others know it all
}
