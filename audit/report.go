package audit

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
)

// Report is what an audit found.
type Report struct {
	Holds      bool        `json:"holds" doc:"Whether everything was looked at and there is no violation."`
	Complete   bool        `json:"complete" doc:"Whether everything was looked at. If not, the time ran out, and a note says how far the audit came."`
	Violations []Violation `json:"violations" nullable:"false" doc:"What breaks a promise, seen twice. At most 100."`
	// Omitted counts the suspicions that were left alone once the list was full.
	Omitted  int       `json:"omitted" doc:"Further suspicions that were not looked at twice, because the list was full."`
	Checked  Checked   `json:"checked" doc:"How much was looked at."`
	InFlight int       `json:"in_flight" doc:"Orders for which something is still owed. 0 on a quiet system."`
	Oldest   *InFlight `json:"oldest_in_flight,omitempty" doc:"The oldest of them, if there is one."`
	Notes    []string  `json:"notes" nullable:"false" doc:"What could not be compared, and other remarks that break no promise."`
	At       time.Time `json:"at" doc:"When the audit ended."`
}

// Violation is one broken promise.
type Violation struct {
	Kind    Kind   `json:"kind" doc:"What sort of violation it is."`
	Subject string `json:"subject" doc:"The SKU or the order id."`
	Message string `json:"message" doc:"What was found, in words."`
}

// Kind is a sort of violation.
type Kind string

// The kinds.
const (
	// OnHandDiffers: units on hand are not the movements minus the units sold.
	OnHandDiffers Kind = "on_hand_differs"
	// ReservedDiffers: reserved units are not those of the PENDING orders.
	ReservedDiffers Kind = "reserved_differs"
	// Oversold: more units are promised than exist.
	Oversold Kind = "oversold"
	// StockLost: a SKU has movements but no stock row.
	StockLost Kind = "stock_lost"
	// FrontDiffers: Redis counts other units than the order database, and nothing moves.
	FrontDiffers Kind = "front_differs"
	// Unsettled: something has long been owed for an order, and nobody works on it.
	Unsettled Kind = "unsettled"
	// TotalDiffers: an order's total is not what its lines come to.
	TotalDiffers Kind = "total_differs"
	// OrderWithoutLines: an order has a row and no lines.
	OrderWithoutLines Kind = "order_without_lines"
	// LinesWithoutOrder: lines bear the id of an order that has no row.
	LinesWithoutOrder Kind = "lines_without_order"
	// ImpossibleState: a row is as no transition leaves it.
	ImpossibleState Kind = "impossible_state"
	// NotCharged: a sold order has no net charge.
	NotCharged Kind = "not_charged"
	// WrongCharge: a sold order's net charge is not its total.
	WrongCharge Kind = "wrong_charge"
	// WrongCurrency: a sold order was charged in another currency than its own.
	WrongCurrency Kind = "wrong_currency"
	// ChargedForNothing: an order that was undone has a net charge.
	ChargedForNothing Kind = "charged_for_nothing"
	// ChargeWithoutOrder: a net charge bears the id of an order that has no row.
	ChargeWithoutOrder Kind = "charge_without_order"
	// NotDelivered: an order is handed off, and the warehouse does not have it.
	NotDelivered Kind = "not_delivered"
	// DeliveredTwice: the warehouse has an order more than once.
	DeliveredTwice Kind = "delivered_twice"
	// DeliveredWrongly: the warehouse has an order that was not sold, or not given to it.
	DeliveredWrongly Kind = "delivered_wrongly"
)

// kinds are all of them.
var kinds = []Kind{
	OnHandDiffers, ReservedDiffers, Oversold, StockLost, FrontDiffers, Unsettled, TotalDiffers, OrderWithoutLines, LinesWithoutOrder,
	ImpossibleState, NotCharged, WrongCharge, WrongCurrency, ChargedForNothing, ChargeWithoutOrder, NotDelivered, DeliveredTwice, DeliveredWrongly,
}

// Checked counts what was looked at.
type Checked struct {
	SKUs          int `json:"skus"`
	RedisCounts   int `json:"redis_counts" doc:"SKUs whose count in Redis was compared: loaded, and without PENDING orders."`
	Orders        int `json:"orders"`
	Purged        int `json:"purged" doc:"Orders whose rows were deleted for their age, and of which only the charge is known."`
	LedgerEntries int `json:"ledger_entries"`
	Arrivals      int `json:"arrivals" doc:"Orders that the warehouse says to have; 0 if no warehouse is configured."`
}

// InFlight is an order for which something is still owed.
type InFlight struct {
	OrderID   order.ID     `json:"order_id"`
	Status    order.Status `json:"status"`
	CreatedAt time.Time    `json:"created_at"`
}

// maxViolations is more than anyone reads. Beyond it a suspicion only counts, so that a disaster does
// not make the audit ask the provider for every order by itself.
const maxViolations = 100

// full tells whether suspicions are only counted from now on, and counts this one if so.
func (r *run) full() bool {
	if len(r.report.Violations) < maxViolations {
		return false
	}
	r.report.Omitted++
	return true
}

func (r *run) violationf(kind Kind, subject, format string, args ...any) {
	r.report.Violations = append(r.report.Violations, Violation{kind, subject, fmt.Sprintf(format, args...)})
}

func (r *run) notef(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
}

// inFlight counts an order that is not settled.
func (r *run) inFlight(end orderdb.End) {
	r.report.InFlight++
	if oldest := r.report.Oldest; oldest == nil || end.CreatedAt.Before(oldest.CreatedAt) {
		r.report.Oldest = &InFlight{OrderID: end.ID, Status: end.Status, CreatedAt: end.CreatedAt.UTC()}
	}
}

// maxExamples is how many violations a summary tells in words.
const maxExamples = 5

// Summary gives the report in short.
func (r Report) Summary() order.Audited {
	found := order.Audited{Holds: r.Holds, Complete: r.Complete, Omitted: r.Omitted, Orders: r.Checked.Orders}
	for _, kind := range kinds {
		count := order.ViolationCount{Kind: string(kind)}
		for _, v := range r.Violations {
			if v.Kind == kind {
				count.Count++
			}
		}
		found.Violations = append(found.Violations, count)
	}
	for _, v := range r.Violations[:min(len(r.Violations), maxExamples)] {
		found.Examples = append(found.Examples, fmt.Sprintf("%s %s: %s", v.Kind, v.Subject, v.Message))
	}
	return found
}

func (r *run) finish() Report {
	r.report.At = time.Now().UTC().Truncate(time.Microsecond)
	r.report.Holds = r.report.Complete && len(r.report.Violations) == 0 && r.report.Omitted == 0
	slices.SortStableFunc(r.report.Violations, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject))
	})
	return r.report
}
