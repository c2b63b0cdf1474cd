package chaos

import (
	"fmt"
	"net/http"

	"holdfast/devstack/shop"
	"holdfast/order"
)

// record is what there is of an order when all is quiet.
type record struct {
	order shop.Order // zero if there is no row
	net   int64      // what the provider holds, minor units
	// charges and reversals are how many the provider's ledger has.
	charges, reversals int
}

func (r record) exists() bool { return r.order.ID != "" }

// judge compares all that a shopper was told with what is on record, and returns what does not fit.
func judge(p *purchase, r record) (violations []string) {
	say := func(format string, args ...any) {
		violations = append(violations, fmt.Sprintf("%s (%s, key %s of %s): ", p.id(), p.request.PaymentMethod, p.key, p.request.CustomerID)+
			fmt.Sprintf(format, args...)+fmt.Sprintf("; on record it is %s, told was %v", r.words(), p.answers))
	}
	if !p.definite {
		say("the shopper never heard how it ended")
	}
	if r.exists() && !r.order.Settled {
		say("something is still owed")
	}
	r.judgeMoney(p, say)
	first := answer{} // that was definite
	for _, a := range p.answers {
		if a.id != "" && a.id != p.id() {
			say("an answer is about %s", a.id)
		}
		if !expected(a) {
			say("an answer was %d %s", a.status, a.slug)
		}
		if a.cancel || a.probe {
			r.judgeAside(a, say)
			continue
		}
		r.judgeAnswer(p, a, say)
		switch {
		case first.status == 0 && final(a):
			first = a
		case first.status != 0 && final(a) && a.status != first.status && !p.cancelled:
			say("a repeat was answered otherwise: %d after %d", a.status, first.status)
		}
	}
	return violations
}

func (r record) words() string {
	if !r.exists() {
		return "unknown"
	}
	return fmt.Sprintf("%s %s", r.order.Status, r.order.Reason)
}

// final tells an answer that says how the order ended.
func final(a answer) bool {
	return a.status == http.StatusCreated || a.status == http.StatusPaymentRequired || a.status == http.StatusConflict && a.id != ""
}

// expected tells an answer that a shopper may get at all.
func expected(a answer) bool {
	switch a.status {
	case http.StatusOK, http.StatusNotFound:
		return a.cancel
	case http.StatusUnprocessableEntity:
		return a.probe
	case http.StatusCreated, http.StatusPaymentRequired, http.StatusAccepted, http.StatusConflict, http.StatusServiceUnavailable:
		return true
	}
	return false
}

func (r record) judgeMoney(p *purchase, say func(string, ...any)) {
	want := int64(0)
	if r.exists() && r.order.Status.Sold() {
		for _, line := range p.request.Lines {
			want += line.Quantity * line.UnitPrice
		}
		if want != r.order.Total {
			say("its total is %d and not %d", r.order.Total, want)
		}
		if p.request.PaymentMethod == "tok_declined" || p.request.PaymentMethod == "tok_async_declined" {
			say("it was sold although its payment was declined")
		}
	}
	if r.net != want {
		say("the provider holds %d minor units and not %d", r.net, want)
	}
	if r.charges > 1 || r.reversals > 1 {
		say("it was charged %d times and reversed %d times", r.charges, r.reversals)
	}
	if r.exists() && r.order.Status == order.Cancelled && !p.cancelled {
		say("nobody cancelled it")
	}
}

// judgeAnswer looks at what was answered to the order itself.
func (r record) judgeAnswer(p *purchase, a answer, say func(string, ...any)) {
	if (final(a) || a.status == http.StatusAccepted) && !r.exists() {
		say("%d was answered, and there is no row", a.status)
		return
	}
	cancelled := p.cancelled && r.order.Status == order.Cancelled
	switch {
	case a.status == http.StatusCreated && !r.order.Status.Sold() && !cancelled:
		say("201 was answered")
	case a.status == http.StatusPaymentRequired && r.order.Reason != order.ReasonPaymentDeclined:
		say("402 was answered")
	case a.status == http.StatusConflict && a.id != "" && !r.order.Status.Closed():
		say("a final 409 was answered")
	}
}

// judgeAside looks at what was answered to a cancellation, or to other contents under the same key.
func (r record) judgeAside(a answer, say func(string, ...any)) {
	switch {
	case a.cancel && a.status == http.StatusOK && r.order.Status != order.Cancelled:
		say("it was answered that the order is cancelled")
	case a.probe && (a.status == http.StatusCreated || a.status == http.StatusPaymentRequired || a.status == http.StatusAccepted):
		say("other contents under its key were answered %d", a.status)
	}
}
