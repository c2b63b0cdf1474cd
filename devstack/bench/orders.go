package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"holdfast/devstack/shop"
	"holdfast/order"
)

// hotSKU is what everybody wants. Its name is as long as names of real SKUs are.
const hotSKU = "drop-2026"

// plenty is more units than any run sells.
const plenty = 1_000_000_000

// hotOrders has each customer buy one unit of the same SKU.
func hotOrders(customers int) ([][]byte, error) {
	bodies := make([][]byte, customers)
	for i := range bodies {
		var err error
		if bodies[i], err = json.Marshal(shop.Buy(customer(i), "tok_ok", hotSKU, 1)); err != nil {
			return nil, err
		}
	}
	return bodies, nil
}

// mixedOrders has each customer buy one to three SKUs of many, the same in every run.
func mixedOrders(customers, skus int) ([][]byte, error) {
	const maxLines = 3
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same orders each time, and no secret
	bodies := make([][]byte, customers)
	for i := range bodies {
		request := shop.Request{CustomerID: customer(i), Currency: "EUR", PaymentMethod: "tok_ok"}
		for _, n := range random.Perm(skus)[:1+random.IntN(maxLines)] {
			request.Lines = append(request.Lines, order.Line{SKU: mixedSKU(n), Quantity: 1, UnitPrice: 1999})
		}
		var err error
		if bodies[i], err = json.Marshal(request); err != nil {
			return nil, err
		}
	}
	return bodies, nil
}

func customer(i int) string { return fmt.Sprintf("customer-%05d", i) }

func mixedSKU(n int) string { return fmt.Sprintf("article-%04d", n) }

// stockUp creates the SKUs of mixedOrders.
func stockUp(ctx context.Context, client *shop.Client, skus int) error {
	const atOnce = 8
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for n := range skus {
		group.Go(func() error { return client.SetStock(ctx, mixedSKU(n), plenty) })
	}
	return group.Wait()
}
