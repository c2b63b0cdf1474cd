package payment_test

import (
	"testing"
	"time"

	"holdfast/order"
	"holdfast/payment"
	"holdfast/payment/sandbox"
)

// startProvider is a provider whose pending payments are decided after the delay, or never if it ends sooner.
func startProvider(t *testing.T, cfg sandbox.Config) *sandbox.Server {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	server := sandbox.New(cfg)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(t.Context()) })
	return server
}

// pending charges, and checks that all ways to ask agree on a payment that is not decided.
func pending(t *testing.T, client *payment.Client, id order.ID, token string) {
	t.Helper()
	want := order.Payment{Verdict: order.PaymentPending}
	for range 2 { // a repeat begins nothing new
		got, err := client.Charge(t.Context(), id, price, token)
		if err != nil || got != want {
			t.Fatalf("Charge gave %+v, %v, want %+v", got, err, want)
		}
	}
	found, err := client.LookUp(t.Context(), id, price)
	if err != nil || found == nil || *found != want {
		t.Fatalf("LookUp gave %+v, %v, want %+v", found, err, want)
	}
	wantAccount(t, client, id, account{})
}

func TestAPendingPaymentIsDecidedOnce(t *testing.T) {
	t.Parallel()
	for token, c := range map[string]struct {
		want  order.Payment
		after account
	}{
		sandbox.TokenAsync:         {order.Payment{Verdict: order.Approved}, account{charges: 1, net: price.Minor}},
		sandbox.TokenAsyncDeclined: {order.Payment{Verdict: order.Declined, Reason: sandbox.ReasonDeclinedByIssuer}, account{}},
	} {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			client, id := newClient(t, startProvider(t, sandbox.Config{AsyncDelay: 2 * time.Second}).URL(), patience), newID(t, "")
			pending(t, client, id, token)
			for {
				found, err := client.LookUp(t.Context(), id, price)
				if err != nil || found == nil {
					t.Fatalf("LookUp gave %+v, %v", found, err)
				}
				if found.Verdict == order.PaymentPending {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				if *found != c.want {
					t.Errorf("LookUp gave %+v, want %+v", *found, c.want)
				}
				break
			}
			if got, err := client.Charge(t.Context(), id, price, token); err != nil || got != c.want {
				t.Errorf("a repeat gave %+v, %v, want %+v", got, err, c.want)
			}
			wantAccount(t, client, id, c.after)
		})
	}
}

// TestAReversedPendingPaymentIsNeverTaken: the provider's decision comes after the order was given up.
func TestAReversedPendingPaymentIsNeverTaken(t *testing.T) {
	t.Parallel()
	const delay = 2 * time.Second
	client, id := newClient(t, startProvider(t, sandbox.Config{AsyncDelay: delay}).URL(), patience), newID(t, "")
	pending(t, client, id, sandbox.TokenAsync)
	if err := client.Reverse(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantReversed(t, client, id, account{})
	time.Sleep(delay + 200*time.Millisecond)
	wantReversed(t, client, id, account{})
}
