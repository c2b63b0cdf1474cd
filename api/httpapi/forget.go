package httpapi

import (
	"context"
	"time"

	"holdfast/admission"
)

// Front is the stock front in Redis.
type Front interface {
	// Forget deletes the counts of the SKUs, so that they are loaded afresh. While Redis is away it sees to it
	// that no count from before is trusted when it is back.
	Forget(ctx context.Context, skus []string) error
	// Ping tells whether orders are reserved in Redis.
	Ping(ctx context.Context) error
	// Counts gives the units that Redis would still reserve, for those SKUs that are loaded.
	Counts(ctx context.Context, skus []string) (map[string]int64, error)

	admission.Front
}

const (
	// forgetTries is one more than the front needs to see that Redis is away.
	forgetTries = 4
	// forgetWithin bounds how long a changed stock's answer waits for it.
	forgetWithin = 3 * time.Second
)

// forget deletes a SKU's count from Redis once its stock in the order database has changed. The change
// stands whatever becomes of that, so its caller hears of success, and one who hung up does not stop it. If it cannot
// be done, or this process dies before, a count that is too low only turns shoppers away until it is reconciled, and
// one that is too high is noticed by the row's guard: neither oversells.
func (a *API) forget(ctx context.Context, sku string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetWithin)
	defer cancel()
	var err error
	for range forgetTries {
		if err = a.Front.Forget(ctx, []string{sku}); err == nil {
			return
		}
	}
	a.log(ctx).ErrorContext(ctx, "Redis still has the count from before a change of stock; it is wrong until it is reconciled", "sku", sku, "error", err)
}
