package httpapi

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"holdfast/order"
	"holdfast/orderdb"
)

// stockJSON is the stock of a SKU as the API answers it.
type stockJSON struct {
	SKU       string `json:"sku" example:"mug"`
	OnHand    int64  `json:"on_hand" doc:"Units that exist unsold."`
	Reserved  int64  `json:"reserved" doc:"Units held by PENDING orders."`
	Available int64  `json:"available" doc:"What can still be sold: on hand minus reserved."`
	Limit     *int64 `json:"limit_per_customer" doc:"Units that one customer may have, in orders that are not rejected or cancelled; null for any number."`
}

func toStockJSON(s orderdb.Stock) stockJSON {
	doc := stockJSON{SKU: s.SKU, OnHand: s.OnHand, Reserved: s.Reserved, Available: s.Available()}
	if s.LimitPerCustomer > 0 {
		doc.Limit = &s.LimitPerCustomer
	}
	return doc
}

// stockInput is the body of PUT /v1/stock/{sku}.
type stockInput struct {
	OnHand int64  `json:"on_hand" minimum:"0" maximum:"1000000000000" example:"100" doc:"Units that exist unsold."`
	Limit  *int64 `json:"limit_per_customer,omitempty" nullable:"true" minimum:"1" maximum:"1000" example:"2" doc:"Units that one customer may have. Left out or null, there is no limit any more. Customers who have more keep them."`
}

func (in *stockInput) setting() orderdb.Setting {
	to := orderdb.Setting{OnHand: in.OnHand}
	if in.Limit != nil {
		to.LimitPerCustomer = *in.Limit
	}
	return to
}

func (in *stockInput) read(r *reader) {
	r.object(func(name string) bool {
		switch name {
		case "on_hand":
			in.OnHand = r.integer()
		case "limit_per_customer":
			in.Limit = r.integerOrNull()
		default:
			return false
		}
		return true
	}, "on_hand")
}

func (in *stockInput) check() []FieldError {
	var wrong []FieldError
	if in.OnHand < 0 || in.OnHand > order.MaxUnits {
		wrong = append(wrong, FieldError{"on_hand", "must be 0 to " + strconv.FormatInt(order.MaxUnits, 10) + " units"})
	}
	if in.Limit != nil && (*in.Limit < 1 || *in.Limit > order.MaxLimitPerCustomer) {
		limit := strconv.FormatInt(order.MaxLimitPerCustomer, 10)
		wrong = append(wrong, FieldError{"limit_per_customer", "must be 1 to " + limit + " units, or null for any number"})
	}
	return wrong
}

// receiptInput is the body of POST /v1/stock/{sku}/receipts.
type receiptInput struct {
	Quantity  int64  `json:"quantity" minimum:"-1000000000000" maximum:"1000000000000" example:"24" doc:"Units; a negative number takes units away. Not 0."`
	Reference string `json:"reference" pattern:"^[!-~]{1,128}$" example:"delivery-8812" doc:"What the units came with. It counts once for the SKU, for ever."`
	Reason    string `json:"reason,omitempty" maxLength:"255" doc:"For the record."`
}

func (in *receiptInput) read(r *reader) {
	r.object(func(name string) bool {
		switch name {
		case "quantity":
			in.Quantity = r.integer()
		case "reference":
			in.Reference = r.text()
		case "reason":
			in.Reason = r.text()
		default:
			return false
		}
		return true
	}, "quantity", "reference")
}

// The widths of the columns that hold them.
const maxReason = 255

var referenceShape = regexp.MustCompile(`^[!-~]{1,128}$`)

func (in *receiptInput) check() []FieldError {
	var wrong []FieldError
	if in.Quantity == 0 || in.Quantity < -order.MaxUnits || in.Quantity > order.MaxUnits {
		wrong = append(wrong, FieldError{"quantity", "must be 1 to " + strconv.FormatInt(order.MaxUnits, 10) + " units, or as many taken away"})
	}
	if !referenceShape.MatchString(in.Reference) {
		wrong = append(wrong, FieldError{"reference", "must be 1 to 128 visible ASCII characters"})
	}
	if utf8.RuneCountInString(in.Reason) > maxReason || strings.ContainsFunc(in.Reason, unicode.IsControl) {
		wrong = append(wrong, FieldError{"reason", "must be at most 255 characters, without control characters"})
	}
	return wrong
}
