package payment_test

import (
	"testing"
	"time"

	"holdfast/order"
	"holdfast/payment/sandbox"
)

// TestTokens sends each payment method until it is answered, and then once more: the money moves once
// or not at all, and the answer stays.
func TestTokens(t *testing.T) {
	t.Parallel()
	approved := order.Payment{Verdict: order.Approved}
	once := account{charges: 1, net: price.Minor}
	tests := []struct {
		token    string
		failures int     // Unknown, before the answer
		between  account // after the first of them
		want     order.Payment
		after    account
	}{
		{sandbox.TokenOK, 0, account{}, approved, once},
		{sandbox.TokenSlow, 0, account{}, approved, once},
		{sandbox.TokenLost, 2, once, approved, once},
		{sandbox.TokenError, 2, account{}, approved, once},
		{sandbox.TokenDeclined, 0, account{}, order.Payment{Verdict: order.Declined, Reason: sandbox.ReasonCardDeclined}, account{}},
		{"tok_other", 0, account{}, order.Payment{Verdict: order.Declined, Reason: sandbox.ReasonUnknownMethod}, account{}},
	}
	for _, test := range tests {
		t.Run(test.token, func(t *testing.T) {
			t.Parallel()
			server := newProvider(t, sandbox.Config{SlowAnswer: time.Millisecond})
			client, id := newClient(t, server.URL, patience), newID(t, "")
			for range test.failures {
				_, err := client.Charge(t.Context(), id, price, test.token)
				wantFailure(t, err, order.Unknown)
				wantAccount(t, client, id, test.between)
			}
			for range 2 {
				got, err := client.Charge(t.Context(), id, price, test.token)
				if err != nil || got != test.want {
					t.Fatalf("got %+v, %v, want %+v", got, err, test.want)
				}
				wantAccount(t, client, id, test.after)
			}
		})
	}
}

// TestParametersThatTheProviderRefuses is the 400 of the protocol: nothing moved, nothing ever will.
func TestParametersThatTheProviderRefuses(t *testing.T) {
	t.Parallel()
	client, id := newClient(t, newProvider(t, sandbox.Config{}).URL, patience), newID(t, "")
	_, err := client.Charge(t.Context(), id, order.Amount{Minor: 0, Currency: "EUR"}, sandbox.TokenOK)
	wantFailure(t, err, order.Final, "400", "amount")
	wantAccount(t, client, id, account{})
}
