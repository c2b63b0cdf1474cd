package sandbox

import "sync"

// The payment methods that the provider acts on. Any other one is declined as unknown.
const (
	// TokenOK charges.
	TokenOK = "tok_ok"
	// TokenDeclined declines.
	TokenDeclined = "tok_declined"
	// TokenSlow charges at once and answers late, after Config.SlowAnswer.
	TokenSlow = "tok_slow"
	// TokenLost charges, and cuts the connection in the middle of the answer the first two times that
	// it is sent for a reference.
	TokenLost = "tok_lost"
	// TokenError answers 500 without having charged the first two times that it is sent for a reference.
	TokenError = "tok_error"
	// TokenAsync answers pending and charges after Config.AsyncDelay.
	TokenAsync = "tok_async"
	// TokenAsyncDeclined answers pending and declines after Config.AsyncDelay.
	TokenAsyncDeclined = "tok_async_declined" //nolint:gosec // no secret
)

// Reasons for a decline.
const (
	ReasonCardDeclined  = "card_declined"
	ReasonUnknownMethod = "unknown_payment_method"
	// ReasonDeclinedByIssuer is that of TokenAsyncDeclined.
	ReasonDeclinedByIssuer = "declined_by_issuer"
	// ReasonReversed: the reference was reversed, before or after it was charged.
	ReasonReversed = "reversed"
)

// declineReason says why a payment method is declined; empty approves it.
func declineReason(method string) string {
	switch method {
	case TokenOK, TokenSlow, TokenLost, TokenError, TokenAsync:
		return ""
	case TokenAsyncDeclined:
		return ReasonDeclinedByIssuer
	case TokenDeclined:
		return ReasonCardDeclined
	}
	return ReasonUnknownMethod
}

// decidedLater tells the payment methods that are pending first.
func decidedLater(method string) bool { return method == TokenAsync || method == TokenAsyncDeclined }

// faultyAttempts is how often TokenLost and TokenError misbehave for one reference: twice, so that the
// first repeat meets the fault again and only a client that keeps asking gets through.
const faultyAttempts = 2

// attempts counts those of the faulty tokens. It does not survive a restart, after which a fault shows
// itself again: nobody's money depends on it.
type attempts struct {
	mu    sync.Mutex
	count map[string]int // by token and reference
}

// faulty tells whether this attempt, which it counts, is one that misbehaves.
func (a *attempts) faulty(token string, c charge) bool {
	if c.PaymentMethod != token {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count == nil {
		a.count = make(map[string]int)
	}
	key := token + " " + c.Reference
	if a.count[key] == faultyAttempts {
		return false
	}
	a.count[key]++
	return true
}
