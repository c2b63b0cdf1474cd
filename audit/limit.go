package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// look is a part of an audit.
type look struct {
	run  func(context.Context) error
	left func() string // what of it is still to do, in words
}

// looks gives the parts in their order.
func (r *run) looks() []look {
	return []look{
		{r.stock, func() string { return "the stock of " + behind("SKUs", r.skusUpTo) }},
		{r.front, func() string { return fmt.Sprintf("the counts in Redis of %d SKUs that differed", len(r.differing)) }},
		{r.money, func() string { return "the rows and the money of " + behind("orders", string(r.ordersUpTo)) }},
		{r.settling, func() string { return "the orders that are not settled for long" }},
	}
}

func behind(what, upTo string) string {
	if upTo == "" {
		return "all " + what
	}
	return "the " + what + " after " + upTo
}

// ranOut notes that the time was over in the first of the looks, and what it waited for if that could not be read.
func (r *run) ranOut(left []look, err error) {
	r.report.Complete = false
	words := make([]string, len(left))
	for i, l := range left {
		words[i] = l.left()
	}
	r.notef("The audit's time of %s ran out. It did not get through %s.", r.cfg.Limit, strings.Join(words, "; "))
	if unread, ok := errors.AsType[*UnreadableError](err); ok && !unread.interrupted {
		r.notef("The %s could not be read when it ran out.", unread.What)
	}
}
