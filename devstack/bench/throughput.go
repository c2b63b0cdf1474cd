package bench

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"time"

	"holdfast/devstack/shop"
)

// throughput is a scenario that compares orders a second with empty workflows a second.
type throughput struct {
	name, key string
	shoppers  int
	separate  bool // api and worker as processes of their own
	bodies    func() ([][]byte, error)
	// prepare makes the stack what the scenario is about, with the hot SKU already in stock; nil for nothing.
	prepare func(context.Context, *floor) error
}

func (b *bench) hot(ctx context.Context) error {
	return b.measureThroughput(ctx, throughput{
		name: "hot", key: "orders_vs_empty", shoppers: b.Shoppers,
		bodies: func() ([][]byte, error) { return hotOrders(b.Shoppers) },
	})
}

func (b *bench) many(ctx context.Context) error {
	const skus, customers = 1000, 4096
	return b.measureThroughput(ctx, throughput{
		name: "many", key: "orders_many_skus_vs_empty", shoppers: b.Shoppers,
		bodies:  func() ([][]byte, error) { return mixedOrders(customers, skus) },
		prepare: func(ctx context.Context, f *floor) error { return stockUp(ctx, f.Client, skus) },
	})
}

func (b *bench) slow(ctx context.Context) error {
	slowness := shop.Fault{Mode: "slow", Seconds: 3600, DelayMS: 200}
	return b.measureThroughput(ctx, throughput{
		name: "slow", key: "orders_slow_provider_vs_empty", shoppers: b.Shoppers,
		bodies:  func() ([][]byte, error) { return hotOrders(b.Shoppers) },
		prepare: func(ctx context.Context, f *floor) error { return f.Ail(ctx, f.stack.GatewayURL(), slowness) },
	})
}

func (b *bench) separate(ctx context.Context) error {
	return b.measureThroughput(ctx, throughput{
		name: "separate", key: "orders_separate_vs_empty", shoppers: b.Shoppers, separate: true,
		bodies: func() ([][]byte, error) { return hotOrders(b.Shoppers) },
	})
}

func (b *bench) measureThroughput(ctx context.Context, t throughput) error {
	return b.onFloor(ctx, t.name, t.separate, func(ctx context.Context, f *floor) error {
		if err := f.SetStock(ctx, hotSKU, plenty); err != nil {
			return err
		}
		if t.prepare != nil {
			if err := t.prepare(ctx, f); err != nil {
				return err
			}
		}
		bodies, err := t.bodies()
		if err != nil {
			return err
		}
		if err := b.calibrate(ctx, f); err != nil {
			return err
		}
		shoppers, err := gather(ctx, t.name, f.addr, t.shoppers, bodies, http.StatusCreated)
		if err != nil {
			return err
		}
		defer shoppers.leave()
		buying := load{atOnce: t.shoppers, duration: b.Duration}
		if _, err := buying.run(ctx, shoppers.shop); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
		return b.compareOrders(ctx, f, t, shoppers, buying)
	})
}

func (b *bench) compareOrders(ctx context.Context, f *floor, t throughput, shoppers *crowd, buying load) error {
	before, err := f.metrics(ctx)
	if err != nil {
		return err
	}
	starting := load{atOnce: b.emptyAtOnce, duration: b.Duration}
	c, err := b.compare(ctx, f,
		side{"orders", func(ctx context.Context) (sample, error) { return buying.run(ctx, shoppers.shop) }},
		side{"empty workflows", func(ctx context.Context) (sample, error) { return starting.run(ctx, f.empties.run) }},
		ofRates)
	if err != nil {
		return err
	}
	after, err := f.metrics(ctx)
	if err != nil {
		return err
	}
	batch := meanBatch(before, after)
	b.report.add(t.key, c.ratios, fmt.Sprintf("%s, %d shoppers, %.0f in a workflow; %.0f empty workflows/s, %d at once",
		describe("orders", c.ours), t.shoppers, batch, c.yardstick.perSecond(), starting.atOnce))
	figures := absolute("orders", c.ours)
	maps.Copy(figures, absolute("empty", c.yardstick))
	figures["shoppers"], figures["empty_at_once"], figures["orders_per_workflow"] = t.shoppers, starting.atOnce, rounded(batch)
	b.report.detail(t.name, figures)
	return nil
}

// meanBatch is how many orders went together between two looks at the API's metrics; 0 if none did.
func meanBatch(before, after map[string]float64) float64 {
	const sum, count = "holdfast_admission_batch_size_sum", "holdfast_admission_batch_size_count"
	workflows := after[count] - before[count]
	if workflows == 0 {
		return 0
	}
	return (after[sum] - before[sum]) / workflows
}

// calibrate finds by how many at once the most empty workflows are done, once in a run: the yardstick is to be the best
// that the Temporal server gives.
func (b *bench) calibrate(ctx context.Context, f *floor) error {
	if b.emptyAtOnce > 0 {
		_, err := load{atOnce: b.emptyAtOnce, duration: b.Duration / 2}.run(ctx, f.empties.run)
		return err
	}
	most := 0.0
	for _, atOnce := range []int{64, 8, 16, 32, 64, 128, 256} { // the first warms up
		s, err := load{atOnce: atOnce, duration: min(b.Duration, 2*time.Second)}.run(ctx, f.empties.run)
		if err != nil {
			return fmt.Errorf("empty workflows: %w", err)
		}
		b.say("  %s, %d at once", describe("empty workflows", s), atOnce)
		if rate := s.perSecond(); rate > most {
			most, b.emptyAtOnce = rate, atOnce
		}
	}
	return nil
}

// empty measures the yardstick alone, for those who change the Temporal server's settings.
func (b *bench) empty(ctx context.Context) error {
	return b.onFloor(ctx, "empty", false, func(ctx context.Context, f *floor) error {
		if err := b.calibrate(ctx, f); err != nil {
			return err
		}
		var rates []float64
		var samples []sample
		for range b.Repetitions {
			s, err := load{atOnce: b.emptyAtOnce, duration: b.Duration}.run(ctx, f.empties.run)
			if err != nil {
				return err
			}
			b.say("  %s, %d at once", describe("empty workflows", s), b.emptyAtOnce)
			rates, samples = append(rates, s.perSecond()), append(samples, s)
		}
		all := spreadOf(rates)
		b.report.detail("empty", absolute("empty", together(samples)), map[string]any{
			"empty_per_s_min": all.Min, "empty_per_s_max": all.Max, "empty_at_once": b.emptyAtOnce,
		})
		return nil
	})
}
