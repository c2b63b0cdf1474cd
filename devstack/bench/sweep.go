package bench

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// point is what a sweep measured with one number of orders at once.
type point struct {
	AtOnce           int     `json:"at_once"`
	PerSecond        float64 `json:"orders_per_s"`
	P50              float64 `json:"p50_ms"`
	P99              float64 `json:"p99_ms"`
	PerWorkflow      float64 `json:"orders_per_workflow"`
	EmptiesPerSecond float64 `json:"empty_per_s"` // empty workflows, measured directly afterwards
}

// sweep shows how throughput and latency depend on how many order at once.
func (b *bench) sweep(ctx context.Context) error {
	var points []point
	err := b.onFloor(ctx, "sweep", false, func(ctx context.Context, f *floor) error {
		if err := f.SetStock(ctx, hotSKU, plenty); err != nil {
			return err
		}
		if err := b.calibrate(ctx, f); err != nil {
			return err
		}
		for _, atOnce := range b.Levels {
			p, err := b.point(ctx, f, atOnce)
			if err != nil {
				return fmt.Errorf("%d at once: %w", atOnce, err)
			}
			b.say("  %4d at once: %.0f orders/s (p50 %s ms, p99 %s ms), %s in a workflow; %.0f empty workflows/s",
				p.AtOnce, p.PerSecond, short(p.P50), short(p.P99), short(p.PerWorkflow), p.EmptiesPerSecond)
			points = append(points, p)
		}
		b.report.detail("sweep", map[string]any{"points": points})
		return nil
	})
	if err != nil {
		return err
	}
	if b.CSV != "" {
		if err := writeFile(b.CSV, func(w io.Writer) error { return writeCSV(w, points) }); err != nil {
			return err
		}
	}
	if b.SVG != "" {
		return writeFile(b.SVG, func(w io.Writer) error { return drawSweep(w, b.title(), points) })
	}
	return nil
}

func (b *bench) point(ctx context.Context, f *floor, atOnce int) (point, error) {
	bodies, err := hotOrders(atOnce)
	if err != nil {
		return point{}, err
	}
	if err := f.quiet(ctx); err != nil {
		return point{}, err
	}
	shoppers, err := gather(ctx, fmt.Sprintf("sweep-%d", atOnce), f.addr, atOnce, bodies, http.StatusCreated)
	if err != nil {
		return point{}, err
	}
	defer shoppers.leave()
	if _, err := (load{atOnce: atOnce, duration: b.Duration / 4}).run(ctx, shoppers.shop); err != nil {
		return point{}, fmt.Errorf("warm up: %w", err)
	}
	before, err := f.metrics(ctx)
	if err != nil {
		return point{}, err
	}
	orders, err := load{atOnce: atOnce, duration: b.Duration}.run(ctx, shoppers.shop)
	if err != nil {
		return point{}, err
	}
	after, err := f.metrics(ctx)
	if err != nil {
		return point{}, err
	}
	if err := f.quiet(ctx); err != nil {
		return point{}, err
	}
	empties, err := load{atOnce: b.emptyAtOnce, duration: b.Duration / 2}.run(ctx, f.empties.run)
	if err != nil {
		return point{}, fmt.Errorf("empty workflows: %w", err)
	}
	return point{
		AtOnce: atOnce, PerSecond: rounded(orders.perSecond()),
		P50: milliseconds(orders.p50()), P99: milliseconds(orders.p99()),
		PerWorkflow: rounded(meanBatch(before, after)), EmptiesPerSecond: rounded(empties.perSecond()),
	}, nil
}

func writeCSV(w io.Writer, points []point) error {
	out := csv.NewWriter(w)
	records := [][]string{{"at_once", "orders_per_s", "p50_ms", "p99_ms", "orders_per_workflow", "empty_per_s"}}
	number := func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
	for _, p := range points {
		records = append(records, []string{
			strconv.Itoa(p.AtOnce), number(p.PerSecond), number(p.P50), number(p.P99), number(p.PerWorkflow), number(p.EmptiesPerSecond),
		})
	}
	return out.WriteAll(records)
}

// writeFile makes the file and its directory.
func writeFile(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	f, err := os.Create(path) //nolint:gosec // the file that the user asked for
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		_ = f.Close() // it is not whole anyway
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Close()
}
