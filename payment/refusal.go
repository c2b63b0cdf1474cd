package payment

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"holdfast/order"
)

// refusal is the one place where a status becomes a class. It returns nil for an answer that the
// request allows for.
func (r reply) refusal() error {
	inItsWords := r.inProvidersWords()
	switch {
	case r.status == http.StatusOK:
		return nil
	case r.status == http.StatusNotFound && r.missable && inItsWords:
		return nil
	case r.status == http.StatusBadRequest && r.refusable && inItsWords:
		// The provider read this very request and will never take it. Others are not concerned.
		return order.Failf(order.Final, "%w", r.surprise())
	case (r.status == http.StatusUnauthorized || r.status == http.StatusForbidden) && inItsWords:
		// The client was turned away before anything was looked at. That is no decline and no fault of
		// the order: someone mends the credentials, and the same request succeeds.
		return order.Failf(order.Transient, "%w", r.surprise())
	}
	// All else leaves open what happened, or says that something did:
	//   409, 422: the reference or the key has a charge that is not this one, and only a look-up, or a
	//     person, can tell what it is. Final would close the order as if it were known.
	//   429 and 5xx may come from a proxy in front of a provider that is at work.
	//   3xx, 404, 405 and whatever is not in the provider's words come from some other server: a wrong
	//     URL must not reject the orders of a night, and a firewall may hide what the provider did.
	return r.surprise()
}

// inProvidersWords tells whether the body is the provider's {"error": "..."} and no more. Neither a load
// balancer's "404 page not found" nor what a gateway says in JSON must count as "this order was never
// charged".
func (r reply) inProvidersWords() bool {
	var body map[string]any
	if json.Unmarshal(r.body, &body) != nil || len(body) != 1 {
		return false
	}
	text, ok := body["error"].(string)
	return ok && text != ""
}

// surprise says what came, without what must stay hidden.
func (r reply) surprise() error {
	if len(r.body) == 0 {
		return fmt.Errorf("%s: %d without a body", r.request, r.status)
	}
	return fmt.Errorf("%s: %d %q", r.request, r.status, r.quote(string(r.body)))
}

// maxExcerpt bounds how much of an answer an error quotes, in bytes: a sentence, not a page.
const maxExcerpt = 200

// quote makes what came from outside fit for an error.
func (r request) quote(text string) string {
	if r.hidden != "" {
		// Before it is cut, which could leave half of it.
		text = strings.ReplaceAll(text, r.hidden, "[hidden]")
	}
	return clip(text, maxExcerpt)
}

// maxReason bounds the provider's reason for a decline, in bytes. It is kept on the order's row and
// shown to shoppers' support.
const maxReason = 100

// clip makes a foreign text safe to print: valid UTF-8, no control characters, at most limit bytes.
func clip(text string, limit int) string {
	text = strings.ToValidUTF8(text[:min(len(text), limit+1)], "")
	var clean strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) {
			r = ' '
		}
		if clean.Len()+len(string(r)) > limit {
			break
		}
		clean.WriteRune(r)
	}
	return clean.String()
}
