package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/devstack/program"
	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/child"
)

// floor is a stack to measure on, just opened: the one that `make dev` starts, with real servers.
type floor struct {
	*shop.Client

	stack    *stack.Stack
	addr     string            // of the API, HOST:PORT
	programs map[string]string // where api and worker serve HTTP, by name, if they are processes of their own
	empties  *empties
	closers  []func() error
}

const free = "127.0.0.1:0"

// open opens a floor. If separate, api and worker are processes of their own.
func (b *bench) open(ctx context.Context, separate bool) (f *floor, err error) {
	f = &floor{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	data, err := os.MkdirTemp(b.dir, "stack-")
	if err != nil {
		return f, err
	}
	cfg := stack.Config{
		Data: data, API: free, Temporal: free, UI: free, Gateway: free, InfraOnly: separate, Settings: b.Settings,
		Log: slog.New(slog.NewTextHandler(b.progress, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	if separate {
		if cfg.API, err = child.FreeAddr(ctx); err != nil {
			return f, err
		}
	}
	if cfg.Redis, cfg.MySQL, err = b.servers.clean(ctx); err != nil {
		return f, err
	}
	if f.stack, err = stack.Start(ctx, cfg); err != nil {
		return f, err
	}
	f.closers = append(f.closers, f.stack.Stop)
	f.addr = strings.TrimPrefix(f.stack.APIURL(), "http://")
	if separate {
		f.addr = cfg.API
		if err := f.startPrograms(ctx, b.Programs, data); err != nil {
			return f, err
		}
	}
	f.Client = shop.New("http://" + f.addr)
	f.HTTP.Timeout = auditTimeout
	if f.empties, err = openEmpties(ctx, f.stack.TemporalAddr()); err != nil {
		return f, err
	}
	f.closers = append(f.closers, f.empties.close)
	return f, nil
}

func (f *floor) startPrograms(ctx context.Context, executables, data string) error {
	f.programs = make(map[string]string)
	for _, p := range []struct{ name, addr string }{{"worker", ""}, {"api", f.addr}} {
		started, err := program.Start(ctx, executables, p.name, p.addr, f.stack.Env(), data)
		if err != nil {
			return fmt.Errorf("%w (bin/api and bin/worker must lie beside bin/devstack: make build)", err)
		}
		f.closers = append(f.closers, started.Stop)
		f.programs[p.name] = started.URL()
	}
	return nil
}

func (f *floor) close() error {
	var errs []error
	for _, closer := range slices.Backward(f.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

// quiet waits until no order is under way, so that what is measured next does not pay for what was before.
func (f *floor) quiet(ctx context.Context) error {
	for {
		m, err := f.metrics(ctx)
		if err != nil {
			return err
		}
		if m["holdfast_admission_in_flight"] == 0 && m["holdfast_admission_queue"] == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until no order is under way: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// metrics reads the API's series that have no labels.
func (f *floor) metrics(ctx context.Context) (map[string]float64, error) { return f.scrape(ctx, f.API) }

// scrape reads those of a program.
func (f *floor) scrape(ctx context.Context, url string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := f.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	series := make(map[string]float64)
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			series[name] = value
		}
	}
	return series, lines.Err()
}

// auditTimeout is for hundreds of thousands of orders: an audit reads everything.
const auditTimeout = 5 * time.Minute

// audit fails unless the books balance once all orders have settled.
func (f *floor) audit(ctx context.Context) error {
	const settling = time.Minute // a release or a settling that failed is repeated for that long
	for end := time.Now().Add(settling); ; {
		report, err := f.Audit(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("audit: %w", err)
		case !report.Holds:
			return fmt.Errorf("the books do not balance: %+v", report.Violations)
		case report.InFlight == 0:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("%d orders are still in flight a minute after the last was answered", report.InFlight)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
