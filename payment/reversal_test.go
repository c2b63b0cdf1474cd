package payment_test

import (
	"testing"

	"holdfast/order"
	"holdfast/payment"
	"holdfast/payment/sandbox"
)

// TestAReversedChargeSaysSo by a reason of its own, to a look-up and to a late charge, whether the money had moved
// or not.
func TestAReversedChargeSaysSo(t *testing.T) {
	t.Parallel()
	client := newClient(t, newProvider(t, sandbox.Config{}).URL, patience)
	want := order.Payment{Verdict: order.Declined, Reason: payment.ReasonReversed}
	for name, after := range map[string]account{"charged": {charges: 1, reversals: 1}, "never charged": {}} {
		id := newID(t, name)
		if after.charges > 0 {
			if _, err := client.Charge(t.Context(), id, price, sandbox.TokenOK); err != nil {
				t.Fatal(err)
			}
		}
		if err := client.Reverse(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if found, err := client.LookUp(t.Context(), id, price); err != nil || found == nil || *found != want {
			t.Errorf("%s: LookUp gave %+v, %v", name, found, err)
		}
		if got, err := client.Charge(t.Context(), id, price, sandbox.TokenOK); err != nil || got != want {
			t.Errorf("%s: a late charge gave %+v, %v", name, got, err)
		}
		wantAccount(t, client, id, after)
	}
}
