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
)

// Reasons for a decline.
const (
	ReasonCardDeclined  = "card_declined"
	ReasonUnknownMethod = "unknown_payment_method"
	// ReasonReversed: the reference was reversed, before or after it was charged.
	ReasonReversed = "reversed"
)

// declineReason says why a payment method is declined; empty approves it.
func declineReason(method string) string {
	switch method {
	case TokenOK, TokenSlow, TokenLost, TokenError:
		return ""
	case TokenDeclined:
		return ReasonCardDeclined
	}
	return ReasonUnknownMethod
}

// faultyAttempts is how often TokenLost and TokenError misbehave for one reference: twice, so that the
// first repeat meets the fault again and only a client that keeps asking gets through.
const faultyAttempts = 2

// faults counts the attempts of the faulty tokens. It does not survive a restart, after which a fault
// shows itself again: nobody's money depends on it.
type faults struct {
	mu       sync.Mutex
	attempts map[string]int // by token and reference
}

// due tells whether this attempt, which it counts, is one of the faulty ones.
func (f *faults) due(token string, c charge) bool {
	if c.PaymentMethod != token {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.attempts == nil {
		f.attempts = make(map[string]int)
	}
	key := token + " " + c.Reference
	if f.attempts[key] == faultyAttempts {
		return false
	}
	f.attempts[key]++
	return true
}
