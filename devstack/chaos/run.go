package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Options say what is run.
type Options struct {
	Seed     uint64
	Duration time.Duration
	Shoppers int
	// Keep keeps the logs and the data in any case.
	Keep bool
	// Programs is the directory of the executables api and worker; empty for the one of this executable.
	Programs string
	// Executable is this executable, which runs the Temporal server and the provider too.
	Executable string

	secret string
}

// quietWithin is how long everything may take to come to its end once all faults are over: a step's longest pause between two
// tries is 30 s, and a terminated workflow is missed by the next reconciliation.
const quietWithin = 3 * time.Minute

// ErrBroken says that a promise was broken.
var ErrBroken = errors.New("the promises did not hold")

// Run breaks things while shoppers buy, and says on out whether the promises held. The error is ErrBroken if they did not.
func Run(ctx context.Context, o Options, out, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp("", fmt.Sprintf("holdfast-chaos-%d-", o.Seed))
	if err != nil {
		return err
	}
	kept := true
	defer func() {
		if kept {
			_, _ = fmt.Fprintf(progress, "The logs and the data are kept in %s. The same faults again: make chaos SEED=%d DURATION=%s\n", dir, o.Seed, o.Duration)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	o.secret = newSecret()
	r := &run{Options: o, progress: progress}
	_, _ = fmt.Fprintf(progress, "seed %d: starting redis-server, mariadbd, Temporal, the provider, two apis and two workers\n", o.Seed)
	site, err := openSite(ctx, o, dir)
	if err != nil {
		return err
	}
	defer site.close()
	r.site = site
	if err := r.play(ctx); err != nil {
		return err
	}
	r.print(out)
	kept = o.Keep || len(r.violations) > 0
	if len(r.violations) > 0 {
		return ErrBroken
	}
	return nil
}

// run is a run under way.
type run struct {
	Options

	progress   io.Writer
	site       *site
	crowd      *crowd
	faults     []fault // that were made
	books      books
	violations []string
	quietAfter time.Duration // the end of the faults
}

func (r *run) play(ctx context.Context) error {
	r.crowd = &crowd{shops: r.site.shops, seed: r.Seed, received: make(map[string]int64)}
	for i := range skus {
		if err := r.site.shops[0].SetStock(ctx, skuName(i), units); err != nil {
			return err
		}
		r.crowd.received[skuName(i)] = units
	}
	ctx, cancel := context.WithTimeout(ctx, r.Duration+quietWithin)
	defer cancel()
	buying, stop := context.WithTimeout(ctx, r.Duration)
	defer stop()
	shopping := make(chan struct{})
	go func() { defer close(shopping); r.crowd.shopUntil(ctx, buying, r.Shoppers) }()
	go r.live(ctx, shopping)
	wreckErr := r.site.wreck(buying, plan(r.Seed, r.Duration), r.say)
	calm := time.Now()
	<-shopping
	if wreckErr != nil && !errors.Is(wreckErr, context.DeadlineExceeded) {
		return fmt.Errorf("the faults could not be made: %w", wreckErr)
	}
	r.settle(ctx)
	r.quietAfter = time.Since(calm)
	return r.judge(context.WithoutCancel(ctx))
}

// settle waits until nothing is owed for any order. That it does not come to that is a violation, and no error.
func (r *run) settle(ctx context.Context) {
	if err := r.site.healthy(ctx); err != nil {
		r.violations = append(r.violations, err.Error())
	}
	for {
		audit, err := r.site.shops[0].Audit(ctx)
		switch {
		case err == nil && audit.InFlight == 0:
			return
		case ctx.Err() != nil:
			r.violations = append(r.violations, fmt.Sprintf("%d orders were still in flight %s after the last fault (%v)",
				audit.InFlight, quietWithin, err))
			return
		}
		sleep(ctx, 200*time.Millisecond)
	}
}

func (r *run) judge(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if r.books, err = r.site.readBooks(ctx); err != nil {
		return err
	}
	for _, p := range r.crowd.purchases {
		r.violations = append(r.violations, judge(p, r.books.orders[p.id()])...)
	}
	r.violations = append(r.violations, r.books.judgeStock(r.crowd.purchases, r.crowd.received)...)
	r.violations = append(r.violations, r.books.judgeArrivals()...)
	r.violations = append(r.violations, r.books.judgeStrangers(r.crowd.purchases)...)
	audit, err := r.site.shops[1].Audit(ctx)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if !audit.Holds && len(audit.Violations) == 0 {
		r.violations = append(r.violations, "audit: it did not get through")
	}
	for _, v := range audit.Violations {
		r.violations = append(r.violations, fmt.Sprintf("audit: %s %s: %s", v.Kind, v.Subject, v.Message))
	}
	r.judgeDeaths()
	return nil
}

// judgeDeaths finds processes that ended although nobody killed them. One that cannot reach at its start what it needs was never
// up, and may end.
func (r *run) judgeDeaths() {
	for _, name := range processes {
		k := r.site.kept[name]
		k.mu.Lock()
		if k.deaths > 0 {
			r.violations = append(r.violations, fmt.Sprintf("%s ended %d times by itself", name, k.deaths))
		}
		k.mu.Unlock()
	}
}
