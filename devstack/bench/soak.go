package bench

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// slice is after how many orders a soak looks at its speed and its memory.
	slice = 20_000
	// earlySlices is how many slices there are before it is late: 200,000 orders.
	earlySlices = 10
	// soakLimit is how long a soak may take that nobody asked for.
	soakLimit = 5 * time.Minute
)

// soak places one slice of orders after the other. api and worker are processes of their own, so that their memory is theirs
// alone: the sandbox provider keeps its ledger in memory, and the shoppers what they have seen.
func (b *bench) soak(ctx context.Context) error {
	return b.onFloor(ctx, "soak", true, func(ctx context.Context, f *floor) error {
		if err := f.SetStock(ctx, hotSKU, plenty); err != nil {
			return err
		}
		bodies, err := hotOrders(b.Shoppers)
		if err != nil {
			return err
		}
		shoppers, err := gather(ctx, "soak", f.addr, b.Shoppers, bodies, http.StatusCreated)
		if err != nil {
			return err
		}
		defer shoppers.leave()
		if _, err := (load{atOnce: b.Shoppers, duration: b.Duration}).run(ctx, shoppers.shop); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
		var slices []stretch
		for len(slices) < b.Orders/b.Slice {
			measured, err := load{atOnce: b.Shoppers, operations: b.Slice}.run(ctx, shoppers.shop)
			if err != nil {
				return err
			}
			s, err := f.stretch(ctx, measured)
			if err != nil {
				return err
			}
			slices = append(slices, s)
			b.say("  %d orders: %.0f/s (p50 %s ms, p99 %s ms), api %d MB, worker %d MB, Redis %d MB",
				len(slices)*b.Slice, s.PerSecond, short(s.P50), short(s.P99), s.API>>20, s.Worker>>20, s.Redis>>20)
			rest := measured.elapsed * time.Duration(b.Orders/b.Slice-1)
			if len(slices) == 1 && len(b.Only) == 0 && rest > soakLimit {
				b.say("  the rest would take another %s and is left out", rest.Round(time.Minute))
				return nil
			}
		}
		b.reportSoak(slices)
		return nil
	})
}

// stretch is what a soak saw at the end of a slice.
type stretch struct {
	PerSecond float64 `json:"orders_per_s"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	API       int64   `json:"api_resident_bytes"`
	Worker    int64   `json:"worker_resident_bytes"`
	Redis     int64   `json:"redis_bytes"` // 0 of an embedded Redis
}

func (f *floor) stretch(ctx context.Context, measured sample) (stretch, error) {
	resident := make(map[string]int64)
	for name, url := range f.programs {
		m, err := f.scrape(ctx, url)
		if err != nil {
			return stretch{}, err
		}
		resident[name] = int64(m["process_resident_memory_bytes"])
	}
	client := redis.NewClient(&redis.Options{Addr: f.stack.RedisAddr()})
	defer func() { _ = client.Close() }()
	var used int64
	if info, err := client.InfoMap(ctx, "memory").Result(); err == nil { // the embedded one does not know this section
		_, _ = fmt.Sscan(info["Memory"]["used_memory"], &used)
	}
	return stretch{
		PerSecond: rounded(measured.perSecond()), P50: milliseconds(measured.p50()), P99: milliseconds(measured.p99()),
		API: resident["api"], Worker: resident["worker"], Redis: used,
	}, nil
}

func (b *bench) reportSoak(slices []stretch) {
	b.report.detail("soak", map[string]any{"orders": len(slices) * b.Slice, "slice": b.Slice, "slices": slices})
	if len(slices) <= earlySlices {
		return
	}
	var ratios []float64
	early := slices[0]
	for _, late := range slices[earlySlices:] {
		ratios = append(ratios, late.PerSecond/early.PerSecond)
	}
	last := slices[len(slices)-1]
	b.report.add("late_vs_early", spreadOf(ratios), fmt.Sprintf("%.0f orders/s at first, %.0f/s at the end; api %d to %d MB, worker %d to %d MB",
		early.PerSecond, last.PerSecond, early.API>>20, last.API>>20, early.Worker>>20, last.Worker>>20))
}
