package chaos

import (
	"net/http"
	"strings"
	"testing"

	"holdfast/devstack/shop"
	"holdfast/order"
)

// paid is an order of one line for 200, with an answer of 201.
func paid() (*purchase, record) {
	p := &purchase{key: "k", request: shop.Buy("c", "tok_ok", "mug", 2), ended: true, definite: true}
	p.request.Lines[0].UnitPrice = 100
	p.answers = []answer{{status: http.StatusCreated, id: p.id()}}
	return p, record{
		order: shop.Order{ID: p.id(), Status: order.Confirmed, Total: 200, Settled: true}, net: 200, charges: 1,
	}
}

// rejected is the same order with another end, of which nothing was answered yet.
func rejected(status order.Status, reason order.Reason) (*purchase, record) {
	p, r := paid()
	p.answers = nil
	r.order.Status, r.order.Reason = status, reason
	r.net, r.charges = 0, 0
	return p, r
}

func TestWhatFitsIsNoViolation(t *testing.T) {
	t.Parallel()
	for name, situation := range map[string]func() (*purchase, record){
		"sold": paid,
		"sold, and told before that it is on its way": func() (*purchase, record) {
			p, r := paid()
			p.answers = append([]answer{{status: http.StatusServiceUnavailable, slug: "unavailable"}, {status: http.StatusAccepted, id: p.id()}}, p.answers...)
			return p, r
		},
		"declined": func() (*purchase, record) {
			p, r := rejected(order.Rejected, order.ReasonPaymentDeclined)
			p.answers = []answer{{status: http.StatusPaymentRequired, id: p.id()}}
			return p, r
		},
		"sold, then cancelled": func() (*purchase, record) {
			p, r := paid()
			p.cancelled = true
			p.answers = append(p.answers, answer{status: http.StatusOK, id: p.id(), cancel: true},
				answer{status: http.StatusConflict, slug: "order-closed", id: p.id()})
			r.order.Status, r.net, r.reversals = order.Cancelled, 0, 1
			return p, r
		},
		"turned away": func() (*purchase, record) {
			p, _ := paid()
			p.answers = []answer{{status: http.StatusConflict, slug: "sold-out"}}
			return p, record{}
		},
		"other contents under the key": func() (*purchase, record) {
			p, r := paid()
			p.answers = append(p.answers, answer{status: http.StatusUnprocessableEntity, slug: "key-reused", probe: true})
			return p, r
		},
	} {
		if violations := judge(situation()); len(violations) > 0 {
			t.Errorf("%s: %q", name, violations)
		}
	}
}

func TestWhatDoesNotFitIsAViolation(t *testing.T) {
	t.Parallel()
	for words, spoil := range map[string]func(p *purchase, r *record){
		"never heard":                           func(p *purchase, _ *record) { p.definite = false },
		"still owed":                            func(_ *purchase, r *record) { r.order.Settled = false },
		"201 was answered, and there is no row": func(_ *purchase, r *record) { *r = record{} },
		"holds 0 minor units and not 200":       func(_ *purchase, r *record) { r.net = 0 },
		"holds 200 minor units and not 0": func(_ *purchase, r *record) {
			r.order.Status, r.order.Reason = order.Rejected, order.ReasonSoldOut
		},
		"charged 2 times":      func(_ *purchase, r *record) { r.charges = 2 },
		"its total is 100":     func(_ *purchase, r *record) { r.order.Total = 100 },
		"payment was declined": func(p *purchase, _ *record) { p.request.PaymentMethod = "tok_declined" },
		"nobody cancelled it":  func(_ *purchase, r *record) { r.order.Status = order.Cancelled },
		"201 was answered;": func(_ *purchase, r *record) {
			r.order.Status, r.order.Reason, r.net, r.charges = order.Rejected, order.ReasonSoldOut, 0, 0
		},
		"402 was answered": func(p *purchase, _ *record) { p.answers[0].status = http.StatusPaymentRequired },
		"a final 409":      func(p *purchase, _ *record) { p.answers[0].status = http.StatusConflict },
		"a repeat was answered otherwise": func(p *purchase, _ *record) {
			p.answers = append(p.answers, answer{status: http.StatusPaymentRequired, id: p.id()})
		},
		"an answer is about ord_x": func(p *purchase, _ *record) { p.answers[0].id = "ord_x" },
		"an answer was 500":        func(p *purchase, _ *record) { p.answers[0].status = http.StatusInternalServerError },
		"answered that the order is cancelled": func(p *purchase, _ *record) {
			p.answers = append(p.answers, answer{status: http.StatusOK, id: p.id(), cancel: true})
		},
		"other contents under its key were answered 201": func(p *purchase, _ *record) {
			p.answers = append(p.answers, answer{status: http.StatusCreated, id: p.id(), probe: true})
		},
	} {
		p, r := paid()
		spoil(p, &r)
		if violations := strings.Join(judge(p, r), "\n"); !strings.Contains(violations, words) {
			t.Errorf("%q is not in %q", words, violations)
		}
	}
}

func TestUnitsThatDoNotAddUp(t *testing.T) {
	t.Parallel()
	p, r := paid()
	b := books{orders: map[order.ID]record{p.id(): r}, stock: map[string]shop.Stock{"mug": {SKU: "mug", OnHand: 8}}}
	all := []*purchase{p}
	if violations := b.judgeStock(all, map[string]int64{"mug": 10}); len(violations) > 0 {
		t.Errorf("%q", violations)
	}
	for name, stock := range map[string]shop.Stock{"a unit more": {OnHand: 9}, "one held": {OnHand: 8, Reserved: 1}} {
		b.stock["mug"] = stock
		if violations := b.judgeStock(all, map[string]int64{"mug": 10}); len(violations) != 1 {
			t.Errorf("%s: %q", name, violations)
		}
	}
	b.orders["ord_stranger"] = record{net: 5}
	if violations := b.judgeStrangers(all); len(violations) != 1 {
		t.Errorf("a charge that nobody asked for: %q", violations)
	}
}
