package bench

import (
	"context"
	"fmt"
	"maps"
	"net/http"
)

// single compares how long one order takes on an idle system with how long an empty workflow takes.
func (b *bench) single(ctx context.Context) error {
	return b.onFloor(ctx, "single", false, func(ctx context.Context, f *floor) error {
		if err := f.SetStock(ctx, hotSKU, plenty); err != nil {
			return err
		}
		bodies, err := hotOrders(1)
		if err != nil {
			return err
		}
		alone := load{atOnce: 1, duration: b.Duration}
		if _, err := alone.run(ctx, f.empties.run); err != nil {
			return fmt.Errorf("empty workflows: %w", err)
		}
		shopper, err := gather(ctx, "single", f.addr, 1, bodies, http.StatusCreated)
		if err != nil {
			return err
		}
		defer shopper.leave()
		if _, err := alone.run(ctx, shopper.shop); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
		c, err := b.compare(ctx, f,
			side{"orders", func(ctx context.Context) (sample, error) { return alone.run(ctx, shopper.shop) }},
			side{"empty workflows", func(ctx context.Context) (sample, error) { return alone.run(ctx, f.empties.run) }},
			ofMedians)
		if err != nil {
			return err
		}
		b.report.add("single_vs_empty_p50", c.ratios, fmt.Sprintf("%s ms; %s ms for an empty workflow",
			short(milliseconds(c.ours.p50())), short(milliseconds(c.yardstick.p50()))))
		figures := absolute("orders", c.ours)
		maps.Copy(figures, absolute("empty", c.yardstick))
		b.report.detail("single", figures)
		return nil
	})
}
