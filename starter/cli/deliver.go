package cli

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"holdfast/order"
)

// firstPause is the pause before the first repeat; each further one is twice as long. It is short
// enough to ride out a restart of the API within the default --wait.
const firstPause = 200 * time.Millisecond

// placeByAPI places the order over HTTP and shows how it ended.
func (a *app) placeByAPI(ctx context.Context, p *placement) error {
	ans, err := a.deliver(ctx, p)
	if err != nil {
		return err
	}
	if ans.problem != nil {
		return a.refused(ans, p)
	}
	doc, err := readOrder(ans, p.request(0))
	if err != nil {
		f, _ := errors.AsType[*failure](err)
		return p.outcomeUnknown(f)
	}
	if err := a.printOrder(ans.body, doc); err != nil {
		return err
	}
	if doc.Status == order.Pending {
		a.sayf("The order has no end yet. See it: %s", a.command("order", "get", doc.ID))
	}
	return a.codeOf(doc.Status)
}

// refused is the failure for an answer that was definite, and not an order.
func (a *app) refused(ans answer, p *placement) error {
	f := ans.failure()
	final := ans.problem.OrderID != ""
	switch {
	case ans.foreign && ans.status < 300, ans.status >= 500:
		return p.outcomeUnknown(f)
	// Sold out, or too many for one customer, is the order's matter even where no row was written for it: nothing is
	// wrong with the command.
	case ans.status == http.StatusPaymentRequired, ans.status == http.StatusConflict && final,
		ans.problem.is("sold-out"), ans.problem.is("limit-exceeded"):
		f.code = exitRejected
	}
	if final {
		return f.advisef("See it: %s", a.command("order", "get", ans.problem.OrderID))
	}
	return f
}

// deliver sends the order until there is a definite answer or the wait is over. The same key makes a
// repeat safe. Its failures say whether anything may have been started.
func (a *app) deliver(ctx context.Context, p *placement) (answer, error) {
	deadline := time.Now().Add(p.wait)
	maybeStarted := false
	for backoff := firstPause; ; backoff *= 2 {
		left := max(0, time.Until(deadline))
		ans, err := a.send(ctx, p.request(left))
		t, passing := passingTrouble(ans, err)
		if !passing {
			return ans, err
		}
		maybeStarted = maybeStarted || t.maybeStarted
		next := max(backoff, t.retryAfter)
		if time.Until(deadline) < next || ctx.Err() != nil {
			return answer{}, p.gaveUp(t, maybeStarted)
		}
		a.sayf("%s; repeated with the same key in %s", t.failure.problem.line(), next)
		if a.pause(ctx, next) != nil {
			return answer{}, p.gaveUp(t, maybeStarted)
		}
	}
}

func (p *placement) gaveUp(t trouble, maybeStarted bool) error {
	if maybeStarted {
		return p.outcomeUnknown(t.failure)
	}
	return p.nothingStarted(t.failure)
}

func (p *placement) request(left time.Duration) request {
	return request{
		method: http.MethodPost, path: "/v1/orders", body: p.body,
		header: map[string]string{
			"Idempotency-Key": p.key,
			"Prefer":          preferWait(left),
		},
		within: left + p.timeout,
	}
}

// trouble is an answer, or the lack of one, that a repeat may mend.
type trouble struct {
	failure      *failure
	maybeStarted bool
	retryAfter   time.Duration // what the answer asked for; 0 if nothing
}

// passingTrouble tells whether a repeat may mend what came.
func passingTrouble(ans answer, err error) (trouble, bool) {
	if lost, ok := errors.AsType[*lostError](err); ok {
		f, _ := errors.AsType[*failure](asFailure(err))
		return trouble{failure: f, maybeStarted: lost.reached}, true
	}
	if err != nil || ans.problem == nil {
		return trouble{}, false
	}
	switch ans.status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		// "full" alone promises that nothing was started; any other 5xx may come from in between.
		return trouble{failure: ans.failure(), maybeStarted: !ans.problem.is("full"), retryAfter: retryAfter(ans.header)}, true
	}
	return trouble{}, false
}

// retryAfter reads the header's seconds. A date, which the API never sends, counts as none.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
