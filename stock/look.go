package stock

import (
	"context"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"holdfast/order"
)

// Counts gives the units that Redis would still reserve, for those SKUs that are loaded. A count that is
// below zero reserves nothing either: units were sold of which it learned too late.
func (f *Front) Counts(ctx context.Context, skus []string) (map[string]int64, error) {
	return f.numbers(ctx, skus, fieldUnits)
}

// Limits gives the limits for each customer under which Redis reserves, for those SKUs that are loaded; 0 for none.
func (f *Front) Limits(ctx context.Context, skus []string) (map[string]int64, error) {
	return f.numbers(ctx, skus, fieldLimit)
}

// numbers reads a field of those counts that are loaded.
func (f *Front) numbers(ctx context.Context, skus []string, field string) (map[string]int64, error) {
	looks := make([]look, len(skus))
	for i, sku := range skus {
		looks[i] = look{sku: sku, fields: []string{field}}
	}
	if err := f.look(ctx, looks); err != nil {
		return nil, err
	}
	numbers := make(map[string]int64, len(skus))
	for _, l := range looks {
		if l.loaded {
			numbers[l.sku] = l.number(0)
		}
	}
	return numbers, nil
}

// Refusals tells of each order whether Redis would refuse it now, and changes nothing: the verdict is order.SoldOut or
// order.LimitExceeded, with the SKUs. It is empty for an order that Redis would reserve, that has a reservation already or
// of which nothing is known, since no SKU is loaded for a look. An order that is on record has its answer there, whatever this
// says. All is read in one pipeline. The error is that Redis does not answer, or is known to be away.
func (f *Front) Refusals(ctx context.Context, orders []order.Order) ([]order.Reservation, error) {
	var looks []look
	for _, o := range orders {
		for _, l := range o.Lines {
			looks = append(looks, look{sku: l.SKU, fields: []string{fieldUnits, fieldLimit, customerField(o.CustomerID)}, reservation: o.ID})
		}
	}
	if err := f.look(ctx, looks); err != nil {
		return nil, err
	}
	refusals := make([]order.Reservation, len(orders))
	for i, o := range orders {
		refusals[i] = refusal(o, looks[:len(o.Lines)])
		looks = looks[len(o.Lines):]
	}
	return refusals, nil
}

func refusal(o order.Order, looks []look) order.Reservation {
	claims := make([]claim, len(looks))
	for i := range looks {
		l := &looks[i]
		if l.reserved {
			return order.Reservation{}
		}
		claims[i] = claim{sku: l.sku, answer: l.refuses(o.Lines[i].Quantity)}
	}
	if r := reservation(claims).Answer; r.Refused() {
		return order.Reservation{Verdict: r.Verdict, SKUs: r.SKUs, AlsoRefused: r.AlsoRefused}
	}
	return order.Reservation{}
}

// Fields of a count, as count.lua describes them.
const (
	fieldEpoch = "epoch"
	fieldUnits = "units"
	fieldLimit = "limit"
)

func customerField(customer string) string { return ":" + customer }

// look is a count that is read, and not changed.
type look struct {
	sku         string
	fields      []string
	reservation order.ID // to be looked for as well, unless it is empty

	loaded   bool
	reserved bool     // the reservation is there
	values   []string // of the fields; empty where there is none
}

// number gives a field as one; 0 if there is none.
func (l *look) number(field int) int64 {
	n, _ := strconv.ParseInt(l.values[field], 10, 64) // else somebody else wrote it
	return n
}

// refuses gives reserve.lua's answer for units, limit and a customer's field.
func (l *look) refuses(quantity int64) string {
	if !l.loaded {
		return answerReserved
	}
	units, limit := l.number(0), l.number(1)
	for noted := range strings.FieldsSeq(l.values[2]) {
		_, n, _ := strings.Cut(noted, "=")
		taken, _ := strconv.ParseInt(n, 10, 64)
		limit -= taken
	}
	switch {
	case units < quantity:
		return answerSoldOut
	case l.values[1] != "" && limit < quantity:
		return answerLimit
	}
	return answerReserved
}

// look reads counts in one pipeline. Those of another epoch are not loaded.
func (f *Front) look(ctx context.Context, looks []look) error {
	if len(looks) == 0 {
		return nil
	}
	epoch, err := f.admit(ctx)
	if err != nil {
		return err
	}
	counts := make([]*redis.SliceCmd, len(looks))
	reservations := make([]*redis.IntCmd, len(looks))
	err = f.pipe(ctx, looks[0].sku, func(pipe redis.Pipeliner) {
		for i, l := range looks {
			counts[i] = pipe.HMGet(ctx, stockKey(l.sku), append([]string{fieldEpoch}, l.fields...)...)
			if l.reservation != "" {
				reservations[i] = pipe.Exists(ctx, reservationKey(l.sku, l.reservation))
			}
		}
	})
	if err != nil && unserved(err) {
		return err
	}
	for i := range looks {
		looks[i].read(counts[i].Val(), epoch) // somebody else's key in the place of a count is no count
		looks[i].reserved = reservations[i] != nil && reservations[i].Val() > 0
	}
	return nil
}

func (l *look) read(values []any, epoch int64) {
	if len(values) == 0 || values[0] != any(strconv.FormatInt(epoch, 10)) {
		return
	}
	l.loaded = true
	l.values = make([]string, len(l.fields))
	for i, value := range values[1:] {
		l.values[i], _ = value.(string)
	}
}
