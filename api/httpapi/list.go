package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"holdfast/order"
	"holdfast/orderdb"
)

type ordersRequest struct {
	Status     string         `query:"status" enum:"PENDING,CONFIRMED,HANDED_OFF,REJECTED,CANCELLED" doc:"Only orders with this status."`
	CustomerID string         `query:"customer_id" pattern:"^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,63}$" doc:"Only orders of this customer."`
	Attention  optional[bool] `query:"attention" doc:"Only orders that need a person, or only those that do not."`
	Limit      int            `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The longest page."`
	Cursor     string         `query:"cursor" doc:"The next_cursor of the page before, asked for with the same filter."`
}

type ordersAnswer struct {
	Body struct {
		Orders     []orderJSON `json:"orders" nullable:"false" doc:"Newest first."`
		NextCursor *string     `json:"next_cursor" doc:"The cursor of the next page; null on the last one."`
	} `nameHint:"OrderPage"`
}

func (a *API) listOrders(ctx context.Context, in *ordersRequest) (*ordersAnswer, error) {
	filter := orderdb.Filter{Status: order.Status(in.Status), CustomerID: in.CustomerID, Limit: in.Limit + 1}
	if in.Attention.IsSet {
		filter.Attention = &in.Attention.Value
	}
	if in.Cursor != "" {
		position, ok := parseOrderCursor(in.Cursor, in.digest())
		if !ok {
			return nil, wrongField(slugMalformed, "cursor", "is not one that a page with this filter gave")
		}
		filter.Before = &position
	}
	records, err := a.Orders.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	answer := new(ordersAnswer)
	if len(records) > in.Limit { // one more than asked for: there is a next page
		records = records[:in.Limit]
		last := records[in.Limit-1]
		cursor := orderCursor(orderdb.Position{CreatedAt: last.CreatedAt, ID: last.ID}, in.digest())
		answer.Body.NextCursor = &cursor
	}
	answer.Body.Orders = make([]orderJSON, len(records))
	for i := range records {
		answer.Body.Orders[i] = toJSON(&records[i])
	}
	return answer, nil
}

// digestSize is enough to notice a cursor that is used with another filter. It guards nothing: a forged
// cursor only begins at another place.
const digestSize = 8

type digest [digestSize]byte

// digest identifies the filter. Its parts contain no zero byte.
func (in *ordersRequest) digest() digest {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%v\x00%v", in.Status, in.CustomerID, in.Attention.IsSet, in.Attention.Value))
	return digest(sum[:digestSize])
}

const orderCursorKind = 'o' // in front, so that a cursor of another list is foreign

// orderCursor is a place in the list: kind, filter, microseconds and order id.
func orderCursor(p orderdb.Position, d digest) string {
	b := append([]byte{orderCursorKind}, d[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.CreatedAt.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, p.ID...))
}

func parseOrderCursor(cursor string, d digest) (p orderdb.Position, ok bool) {
	const head = 1 + digestSize + 8
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < head || b[0] != orderCursorKind || digest(b[1:1+digestSize]) != d {
		return p, false
	}
	id, err := order.ParseID(string(b[head:]))
	if err != nil {
		return p, false
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(b[1+digestSize:]))).UTC() //nolint:gosec // the bits, as they are
	// A database's date has four digits for the year.
	return orderdb.Position{CreatedAt: at, ID: id}, 0 < at.Year() && at.Year() <= 9999
}

// optional is a parameter that may be left out.
type optional[T any] struct {
	Value T
	IsSet bool
}

// Schema implements huma.SchemaProvider.
func (optional[T]) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[T]())
}

// Receiver implements huma.ParamWrapper.
func (o *optional[T]) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().Field(0) }

// OnParamSet implements huma.ParamReactor.
func (o *optional[T]) OnParamSet(isSet bool, _ any) { o.IsSet = isSet }
