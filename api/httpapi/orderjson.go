package httpapi

import (
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"holdfast/order"
	"holdfast/orderdb"
)

// orderInput is the body of POST /v1/orders. The tags document it; package order validates it.
type orderInput struct {
	CustomerID    string      `json:"customer_id" pattern:"^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,63}$" example:"c-17" doc:"The shop's own id of the customer."`
	Currency      string      `json:"currency" pattern:"^[A-Z]{3}$" example:"EUR" doc:"An active ISO 4217 code."`
	PaymentMethod string      `json:"payment_method" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" example:"tok_ok" doc:"The payment provider's token for how the customer pays."`
	Lines         []orderLine `json:"lines" minItems:"1" nullable:"false" doc:"At most 100 different SKUs. Lines of one SKU at one price are added up first."`
}

// orderLine is a line of an order, as it is sent and as it is answered.
type orderLine struct {
	SKU       string `json:"sku" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" example:"mug"`
	Quantity  int64  `json:"quantity" minimum:"1" maximum:"10000" example:"2" doc:"Units."`
	UnitPrice int64  `json:"unit_price" minimum:"0" maximum:"9007199254740991" example:"1999" doc:"Minor units of the order's currency."`
}

func (in *orderInput) read(r *reader) {
	r.object(func(name string) bool {
		switch name {
		case "customer_id":
			in.CustomerID = r.text()
		case "currency":
			in.Currency = r.text()
		case "payment_method":
			in.PaymentMethod = r.text()
		case "lines":
			r.array(func() {
				var line orderLine
				line.read(r)
				in.Lines = append(in.Lines, line)
			})
		default:
			return false
		}
		return true
	}, "customer_id", "currency", "payment_method", "lines")
}

func (l *orderLine) read(r *reader) {
	r.object(func(name string) bool {
		switch name {
		case "sku":
			l.SKU = r.text()
		case "quantity":
			l.Quantity = r.integer()
		case "unit_price":
			l.UnitPrice = r.integer()
		default:
			return false
		}
		return true
	}, "sku", "quantity", "unit_price")
}

// order makes the order that the body asks for under the key. The error is an *order.ValidationError.
func (in *orderInput) order(key string) (order.Order, error) {
	lines := make([]order.Line, len(in.Lines))
	for i, l := range in.Lines {
		lines[i] = order.Line(l)
	}
	return order.New(in.CustomerID, key, order.Currency(in.Currency), in.PaymentMethod, lines)
}

// orderJSON is an order as the API answers it. The payment method is left out: it is a secret between
// the shop and the provider.
type orderJSON struct {
	ID         order.ID       `json:"id" example:"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa"`
	Status     order.Status   `json:"status" enum:"PENDING,CONFIRMED,HANDED_OFF,REJECTED,CANCELLED"`
	Reason     order.Reason   `json:"reason" example:"sold_out" doc:"Why the order was rejected or cancelled; empty for every other status."`
	Detail     string         `json:"detail,omitempty" doc:"The reason's particulars in words, such as the SKUs that were sold out."`
	CustomerID string         `json:"customer_id"`
	Currency   order.Currency `json:"currency" doc:"ISO 4217."`
	Total      int64          `json:"total" doc:"Minor units."`
	Lines      []orderLine    `json:"lines" nullable:"false" doc:"Sorted by SKU."`
	Settled    bool           `json:"settled" doc:"Nothing is owed for the order any more: money and units are right."`
	Attention  *attention     `json:"attention" doc:"Why the order needs a person; null if it needs none."`
	ByHand     *byHand        `json:"by_hand,omitempty" doc:"What a person said of the charge, where nobody else could know; left out if no person had to."`
	WorkflowID string         `json:"workflow_id" doc:"The workflow that carries the order: its batch, or one of its own once that has taken over."`
	CreatedAt  timestamp      `json:"created_at"`
	UpdatedAt  timestamp      `json:"updated_at"`
}

// attention says why an order needs a person.
type attention struct {
	Since  timestamp `json:"since"`
	Reason string    `json:"reason"`
}

// byHand is a person's word on the charge.
type byHand struct {
	Answer order.Answer `json:"answer" enum:"charged,not_charged"`
	Note   string       `json:"note" doc:"How the person knows."`
	At     timestamp    `json:"at"`
}

// TransformSchema implements huma.SchemaTransformer: huma has no word for an object that may be null.
func (orderJSON) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	s.Properties["attention"] = &huma.Schema{
		Description: s.Properties["attention"].Description,
		AnyOf:       []*huma.Schema{r.Schema(reflect.TypeFor[attention](), true, ""), {Type: "null"}},
	}
	return s
}

func toJSON(r *orderdb.Record) orderJSON {
	doc := orderJSON{
		ID: r.ID, Status: r.Status, Reason: r.Reason, Detail: r.Detail, CustomerID: r.CustomerID,
		Currency: r.Currency, Total: r.Total, Lines: make([]orderLine, len(r.Lines)), Settled: r.SettledAt != nil,
		WorkflowID: r.WorkflowID, CreatedAt: timestamp(r.CreatedAt), UpdatedAt: timestamp(r.UpdatedAt),
	}
	for i, l := range r.Lines {
		doc.Lines[i] = orderLine(l)
	}
	if r.Reason == order.ReasonFailed {
		doc.Detail = "" // the error of a step: for the Web UI, not for callers
	}
	if r.ByHandAt != nil {
		doc.ByHand = &byHand{Answer: r.ByHand.Answer, Note: r.ByHand.Note, At: timestamp(*r.ByHandAt)}
	}
	if r.AttentionSince != nil {
		doc.Attention = &attention{Since: timestamp(*r.AttentionSince), Reason: r.AttentionReason}
	}
	return doc
}

// timestamp is written in UTC, to the microsecond, as RFC 3339 has it.
type timestamp time.Time

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000000Z"`), nil
}

// Schema implements huma.SchemaProvider.
func (timestamp) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Examples: []any{"2026-11-27T08:00:00.000000Z"}}
}
