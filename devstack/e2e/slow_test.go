package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"holdfast/devstack/shop"
	"holdfast/order"
)

// TestASlowProviderSlowsOnlyItsOwnOrders: while many wait for it, one that costs nothing goes straight through.
func TestASlowProviderSlowsOnlyItsOwnOrders(t *testing.T) {
	t.Parallel()
	const shoppers = 60
	f := open(t)
	f.sell(t, "mug", shoppers)
	f.sell(t, "gift", 1)
	if err := f.Ail(t.Context(), f.GatewayURL(), shop.Fault{Mode: "slow", Seconds: 3600, DelayMS: 60_000}); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range shoppers {
		group.Go(func() { f.leavePendingUnder(t, fmt.Sprintf("k-%d", i), shop.Buy("c-1", "tok_ok", "mug", 1)) })
	}
	group.Wait()
	gift := shop.Buy("c-2", "tok_ok", "gift", 1)
	gift.Lines[0].UnitPrice = 0
	if answer := f.buy(t, "gift", gift); answer.Status != http.StatusCreated {
		t.Errorf("an order that needs no provider was answered %d %+v", answer.Status, answer.Problem)
	}
	for i := range shoppers {
		if o, err := f.Get(t.Context(), order.NewID("c-1", fmt.Sprintf("k-%d", i))); err != nil || o.Status != order.Pending {
			t.Errorf("%s is %s, %v: a provider that does not answer has decided nothing", o.ID, o.Status, err)
		}
	}
	f.recover(t)
	f.quiet(t)
	f.left(t, "mug", 0)
}
