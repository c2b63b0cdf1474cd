package payment_test

import (
	"context"
	"errors"
	"io"
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

// TestLostAnswerIsFoundByItsReference is what the charge step does after a lost answer.
func TestLostAnswerIsFoundByItsReference(t *testing.T) {
	t.Parallel()
	client, id := newClient(t, newProvider(t, sandbox.Config{}).URL, patience), newID(t, "")
	_, err := client.Charge(t.Context(), id, price, sandbox.TokenLost)
	wantFailure(t, err, order.Unknown, "broke off")
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want one that wraps io.ErrUnexpectedEOF", err)
	}
	found, err := client.LookUp(t.Context(), id, price)
	if err != nil || found == nil || found.Verdict != order.Approved {
		t.Fatalf("got %+v, %v", found, err)
	}
	wantAccount(t, client, id, account{charges: 1, net: price.Minor})
}

// TestErrorBeforeChargeIsNotFound: after a 500 that moved nothing, the look-up says so and the repeat
// is the first charge.
func TestErrorBeforeChargeIsNotFound(t *testing.T) {
	t.Parallel()
	client, id := newClient(t, newProvider(t, sandbox.Config{}).URL, patience), newID(t, "")
	_, err := client.Charge(t.Context(), id, price, sandbox.TokenError)
	wantFailure(t, err, order.Unknown, "500")
	if found, err := client.LookUp(t.Context(), id, price); found != nil || err != nil {
		t.Fatalf("got %+v, %v", found, err)
	}
}

// TestSlowChargeIsKnownAtOnce: the client gives up, and the look-up finds the charge.
func TestSlowChargeIsKnownAtOnce(t *testing.T) {
	t.Parallel()
	server := newProvider(t, sandbox.Config{SlowAnswer: time.Hour})
	client, id := newClient(t, server.URL, patience), newID(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() {
		_, err := client.Charge(ctx, id, price, sandbox.TokenSlow)
		gaveUp <- err
	}()
	waitUntilCharged(t, client, id)
	wantAccount(t, client, id, account{charges: 1, net: price.Minor})
	cancel()
	wantFailure(t, <-gaveUp, order.Unknown)
}

// TestOtherParametersUnderOneKey is the 422 of the protocol: the first charge stands, and the second
// is no decline.
func TestOtherParametersUnderOneKey(t *testing.T) {
	t.Parallel()
	client, id := newClient(t, newProvider(t, sandbox.Config{}).URL, patience), newID(t, "")
	if _, err := client.Charge(t.Context(), id, price, sandbox.TokenOK); err != nil {
		t.Fatal(err)
	}
	_, err := client.Charge(t.Context(), id, order.Amount{Minor: 1, Currency: "EUR"}, sandbox.TokenOK)
	wantFailure(t, err, order.Unknown, "422", "other parameters")
	wantAccount(t, client, id, account{charges: 1, net: price.Minor})
}

// TestParametersThatTheProviderRefuses is the 400 of the protocol: nothing moved, nothing ever will.
func TestParametersThatTheProviderRefuses(t *testing.T) {
	t.Parallel()
	client, id := newClient(t, newProvider(t, sandbox.Config{}).URL, patience), newID(t, "")
	_, err := client.Charge(t.Context(), id, order.Amount{Minor: 0, Currency: "EUR"}, sandbox.TokenOK)
	wantFailure(t, err, order.Final, "400", "amount")
	wantAccount(t, client, id, account{})
}

// TestChargeOfAnotherAmountIsNoAnswer: whoever charged that, it was not for this order.
func TestChargeOfAnotherAmountIsNoAnswer(t *testing.T) {
	t.Parallel()
	client, id := newClient(t, newProvider(t, sandbox.Config{}).URL, patience), newID(t, "")
	if _, err := client.Charge(t.Context(), id, price, sandbox.TokenOK); err != nil {
		t.Fatal(err)
	}
	for _, other := range []order.Amount{{Minor: price.Minor + 1, Currency: price.Currency}, {Minor: price.Minor, Currency: "JPY"}} {
		found, err := client.LookUp(t.Context(), id, other)
		wantFailure(t, err, order.Unknown, other.String())
		if found != nil {
			t.Errorf("a charge of %s was taken for one of %s", price, other)
		}
	}
}
