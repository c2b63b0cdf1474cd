package payment_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/payment"
	"holdfast/payment/sandbox"
)

// wantReversed checks that the order's net is zero, also after one more reversal.
func wantReversed(t *testing.T, client *payment.Client, id order.ID, want account) {
	t.Helper()
	for range 2 {
		wantAccount(t, client, id, want)
		found, err := client.LookUp(t.Context(), id, price)
		if err != nil || found == nil || *found != (order.Payment{Verdict: order.Declined, Reason: payment.ReasonReversed}) {
			t.Errorf("LookUp gave %+v, %v", found, err)
		}
		if err := client.Reverse(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

// wantBlocked checks that a late charge takes no money and does not believe it did.
func wantBlocked(t *testing.T, client *payment.Client, id order.ID, want account) {
	t.Helper()
	got, err := client.Charge(t.Context(), id, price, sandbox.TokenOK)
	if err != nil || got != (order.Payment{Verdict: order.Declined, Reason: payment.ReasonReversed}) {
		t.Errorf("a late charge gave %+v, %v", got, err)
	}
	wantReversed(t, client, id, want)
}

func TestReverse(t *testing.T) {
	t.Parallel()
	client, id := newClient(t, newProvider(t, sandbox.Config{}).URL, patience), newID(t, "")
	if _, err := client.Charge(t.Context(), id, price, sandbox.TokenOK); err != nil {
		t.Fatal(err)
	}
	if err := client.Reverse(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantReversed(t, client, id, account{charges: 1, reversals: 1})
	wantBlocked(t, client, id, account{charges: 1, reversals: 1})
}

// TestReverseBlocksALateCharge: the charge was still on its way when the order was given up.
func TestReverseBlocksALateCharge(t *testing.T) {
	t.Parallel()
	client, id := newClient(t, newProvider(t, sandbox.Config{}).URL, patience), newID(t, "")
	if err := client.Reverse(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantReversed(t, client, id, account{})
	wantBlocked(t, client, id, account{})
}

// TestReverseOfADecline moves nothing, and the decline keeps its reason.
func TestReverseOfADecline(t *testing.T) {
	t.Parallel()
	client, id := newClient(t, newProvider(t, sandbox.Config{}).URL, patience), newID(t, "")
	for range 2 {
		got, err := client.Charge(t.Context(), id, price, sandbox.TokenDeclined)
		if err != nil || got.Reason != sandbox.ReasonCardDeclined {
			t.Fatalf("got %+v, %v", got, err)
		}
		if err := client.Reverse(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		wantAccount(t, client, id, account{})
	}
}

// TestReverseDuringASlowCharge: the money moved at once, the answer comes after the reversal.
func TestReverseDuringASlowCharge(t *testing.T) {
	t.Parallel()
	provider := sandbox.New(sandbox.Config{Addr: "127.0.0.1:0", SlowAnswer: time.Hour})
	if err := provider.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	client, id := newClient(t, provider.URL(), patience), newID(t, "")
	answered := make(chan error, 1)
	go func() {
		_, err := client.Charge(t.Context(), id, price, sandbox.TokenSlow)
		answered <- err
	}()
	waitUntilCharged(t, client, id)
	if err := client.Reverse(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantReversed(t, client, id, account{charges: 1, reversals: 1})
	client.Close()
	if err := provider.Stop(t.Context()); err != nil { // gives the late answer at once
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestChargesAndReversalsAtOnce sends everything twice and side by side. Once a reversal has returned,
// no charge may be left, whichever came first.
func TestChargesAndReversalsAtOnce(t *testing.T) {
	t.Parallel()
	const orders = 100
	client := newClient(t, newProvider(t, sandbox.Config{}).URL, patience)
	var group sync.WaitGroup
	for n := range orders {
		id := newID(t, strconv.Itoa(n))
		for range 2 {
			group.Go(func() {
				if _, err := client.Charge(t.Context(), id, price, sandbox.TokenOK); err != nil {
					t.Error(err)
				}
			})
			if n%2 == 0 {
				group.Go(func() {
					if err := client.Reverse(t.Context(), id); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
	group.Wait()
	books := readBooks(t, client)
	for n := range orders {
		id := newID(t, strconv.Itoa(n))
		got := books[string(id)]
		allowed := []account{{charges: 1, net: price.Minor}}
		if n%2 == 0 {
			allowed = []account{{}, {charges: 1, reversals: 1}}
		}
		if !slices.Contains(allowed, got) {
			t.Errorf("the ledger says %+v of order %d, want one of %+v", got, n, allowed)
		}
	}
}
