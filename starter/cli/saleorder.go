package cli

import (
	"context"
	"errors"
	"net/http"
	"time"

	"holdfast/starter/flashsale"
)

// shopper sends orders of a flash sale, each once.
func (a *app) shopper(wait time.Duration) func(context.Context, flashsale.Order) flashsale.Answer {
	return func(ctx context.Context, o flashsale.Order) flashsale.Answer {
		return heard(a.send(ctx, request{
			method: http.MethodPost, path: "/v1/orders",
			body: orderBody{
				CustomerID: o.CustomerID, Currency: flashsale.Currency, PaymentMethod: o.PaymentMethod, Lines: o.Lines,
			},
			header: map[string]string{"Idempotency-Key": o.Key, "Prefer": preferWait(wait)},
			within: wait + defaultTimeout, visible: true,
		}))
	}
}

// heard tells what an answer, or the lack of one, says of the order.
func heard(ans answer, err error) flashsale.Answer {
	if t, passing := passingTrouble(ans, err); passing {
		said := flashsale.Answer{Outcome: flashsale.Unknown, RetryAfter: t.retryAfter, Words: t.failure.problem.line()}
		lost, isLost := errors.AsType[*lostError](err)
		switch {
		case t.maybeStarted:
		case isLost:
			said.Outcome, said.Words = flashsale.Unreached, lost.Error()
		default:
			said.Outcome = flashsale.Full
		}
		return said
	}
	failed := func(words string) flashsale.Answer {
		return flashsale.Answer{Outcome: flashsale.Failed, Words: words}
	}
	switch {
	case err != nil:
		return failed(err.Error())
	case ans.problem == nil:
		return placed(ans)
	case ans.foreign:
		return failed(ans.problem.line())
	}
	final := ans.problem.OrderID != ""
	switch {
	case ans.status == http.StatusPaymentRequired && final:
		return flashsale.Answer{Outcome: flashsale.Declined}
	case ans.status != http.StatusConflict:
		return failed(ans.problem.line())
	case ans.problem.is("sold-out") && final:
		return flashsale.Answer{Outcome: flashsale.SoldOut}
	case ans.problem.is("sold-out"):
		return flashsale.Answer{Outcome: flashsale.TurnedAway}
	case final:
		return flashsale.Answer{Outcome: flashsale.Closed, Words: ans.problem.line()}
	}
	return failed(ans.problem.line())
}

// placed reads an answer that should be an order.
func placed(ans answer) flashsale.Answer {
	_, err := readOrder(ans, request{path: "/v1/orders"})
	switch {
	case err != nil:
		return flashsale.Answer{Outcome: flashsale.Failed, Words: err.Error()}
	case ans.status == http.StatusCreated:
		return flashsale.Answer{Outcome: flashsale.Confirmed}
	case ans.status == http.StatusAccepted:
		return flashsale.Answer{Outcome: flashsale.Pending}
	}
	return flashsale.Answer{Outcome: flashsale.Failed, Words: ans.asForeign("/v1/orders", "it was no answer to a new order").problem.line()}
}
