package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"holdfast/devstack/shop"
	"holdfast/order"
)

// TestASlowProviderSlowsOnlyItsOwnOrders: while two hundred wait for it, one that costs nothing goes straight through.
func TestASlowProviderSlowsOnlyItsOwnOrders(t *testing.T) {
	t.Parallel()
	const shoppers = 200
	f := open(t)
	f.sell(t, "mug", shoppers)
	f.sell(t, "gift", 1)
	f.buy(t, "warm", shop.Buy("c-0", "tok_declined", "mug", 1))
	if err := f.Ail(t.Context(), f.GatewayURL(), shop.Fault{Mode: "slow", Seconds: 60, DelayMS: 20_000}); err != nil {
		t.Fatal(err)
	}
	ids := make([]order.ID, shoppers)
	var group sync.WaitGroup
	for i := range shoppers {
		group.Go(func() {
			answer, err := f.Place(t.Context(), fmt.Sprintf("k-%d", i), shop.Buy("c-1", "tok_ok", "mug", 1), 0)
			if err != nil || answer.Status != http.StatusAccepted {
				t.Errorf("answered %d %+v, %v", answer.Status, answer.Problem, err)
			}
			ids[i] = answer.ID()
		})
	}
	group.Wait()
	gift := shop.Buy("c-2", "tok_ok", "gift", 1)
	gift.Lines[0].UnitPrice = 0
	if answer, err := f.Place(t.Context(), "gift", gift, 5*time.Second); err != nil || answer.Status != http.StatusCreated {
		t.Errorf("an order that needs no provider was answered %d %+v, %v", answer.Status, answer.Problem, err)
	}
	for _, id := range ids {
		if o, err := f.Get(t.Context(), id); err != nil || o.Status != order.Pending {
			t.Errorf("%s is %s, %v: a provider that does not answer has decided nothing", id, o.Status, err)
		}
	}
	f.recover(t)
	f.quiet(t)
	f.left(t, "mug", 0)
}
