package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/starter/flashsale"
)

const (
	// stockRequests are how many requests about stock are under way at a time: thousands of SKUs take seconds,
	// and the API's database has not even noticed.
	stockRequests = 16
	// patience is how often a request beside the orders is repeated, some 6 s in all: a busy system answers 503 for a
	// moment, and a whole sale should not be lost to that.
	patience = 5
	// longestStockPause is what such a request waits at most, whatever it is asked to.
	longestStockPause = 5 * time.Second
)

// stockUp puts units of every SKU on sale, and gives the units on hand by SKU. Nothing is changed unless all SKUs
// could be looked at.
func (a *app) stockUp(ctx context.Context, plan flashsale.Plan, units int64) (map[string]int64, error) {
	onHand, missing, err := a.readShelf(ctx, plan.SKUs)
	if err != nil {
		return nil, err
	}
	if units == 0 {
		if len(missing) > 0 {
			return nil, usagef("there is no SKU %s: --units makes them, and puts units on sale", someOf(missing))
		}
		a.sayf("On sale: %d units of %d SKUs, as they are.", sum(onHand), len(onHand))
		return onHand, nil
	}
	reference := "flash-sale-" + plan.Run
	received := make([]int64, len(plan.SKUs))
	err = inParallel(ctx, len(plan.SKUs), func(ctx context.Context, i int) (err error) {
		sku := plan.SKUs[i]
		if _, there := onHand[sku]; !there {
			if err := a.createEmpty(ctx, sku); err != nil {
				return err
			}
		}
		received[i], err = a.receiveForSale(ctx, sku, receipt{Quantity: units, Reference: reference, Reason: "flash sale"})
		return err
	})
	if err != nil {
		return nil, afterWrite(err, "Units may be on hand already, under the reference "+reference+". Nothing was sold.")
	}
	onHand = make(map[string]int64, len(plan.SKUs))
	for i, sku := range plan.SKUs {
		onHand[sku] = received[i]
	}
	a.sayf("On sale: %d units of %d SKUs, %d of which are new; %d of each were received as %s.",
		sum(onHand), len(onHand), len(missing), units, reference)
	return onHand, nil
}

// readShelf reads the units on hand, and tells which SKUs there are not.
func (a *app) readShelf(ctx context.Context, skus []string) (onHand map[string]int64, missing []string, err error) {
	stocks := make([]*stockDoc, len(skus))
	err = inParallel(ctx, len(skus), func(ctx context.Context, i int) error {
		ans, doc, err := a.getStock(ctx, skus[i], defaultTimeout)
		switch {
		case err != nil && ans.status == http.StatusNotFound && !ans.foreign:
			return nil
		case err != nil:
			return err
		}
		stocks[i] = &doc
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	onHand = make(map[string]int64, len(skus))
	for i, sku := range skus {
		if stocks[i] == nil {
			missing = append(missing, sku)
		} else {
			onHand[sku] = stocks[i].OnHand
		}
	}
	return onHand, missing, nil
}

// createEmpty creates a SKU without units, so that they all come by the receipt, which counts once however often
// it is sent. That somebody else creates it meanwhile is as good.
func (a *app) createEmpty(ctx context.Context, sku string) error {
	ans, err := a.askPatiently(ctx, request{
		method: http.MethodPut, path: stockPath(sku), within: defaultTimeout, body: map[string]int64{"on_hand": 0},
	})
	if err != nil && changedMeanwhile(ans) {
		return nil
	}
	return err
}

func (a *app) receiveForSale(ctx context.Context, sku string, r receipt) (onHand int64, err error) {
	path := stockPath(sku) + "/receipts"
	ans, err := a.askPatiently(ctx, request{method: http.MethodPost, path: path, body: r, within: defaultTimeout})
	if err != nil {
		return 0, err
	}
	doc, err := readStock(ans, path)
	return doc.OnHand, err
}

// askPatiently is ask for a request that does no harm when it is repeated, and is, a few times.
func (a *app) askPatiently(ctx context.Context, r request) (answer, error) {
	backoff := firstPause
	for tries := 0; ; tries++ {
		ans, err := a.send(ctx, r)
		t, passing := passingTrouble(ans, err)
		if !passing || tries == patience || a.pause(ctx, max(backoff, min(t.retryAfter, longestStockPause))) != nil {
			return understood(ans, err)
		}
		backoff *= 2
	}
}

// inParallel does something for each number below n, and gives the first error.
func inParallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(stockRequests)
	for i := range n {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return do(ctx, i)
		})
	}
	return group.Wait()
}

func sum(units map[string]int64) int64 {
	var all int64
	for _, n := range units {
		all += n
	}
	return all
}

// someOf names the first few.
func someOf(skus []string) string {
	const few = 3
	if len(skus) <= few {
		return strings.Join(skus, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(skus[:few], ", "), len(skus)-few)
}
