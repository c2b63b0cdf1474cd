// Package alerts rehearses what docs/runbook.md is for: it makes each alert fire, by doing to a real stack what it is there for, under
// a real Prometheus. devstack's main imports it.
package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Options are what a rehearsal needs.
type Options struct {
	Rules string   // the file of rules
	Only  []string // alerts; empty is all
}

// Result is what a rehearsal came to, as its last line has it.
type Result struct {
	Fired    map[string]float64 `json:"fired"` // seconds that it took, by alert
	Silent   []string           `json:"silent"`
	TooEarly map[string]string  `json:"too_early"` // that fired on a shop that was well
}

const (
	// calm is how long a shop that is well is watched.
	calm = 15 * time.Second
	// patience is how long an alert may take. The slowest waits for a cutoff, a minute at most, and then half a one.
	patience = 3 * time.Minute
	// programs are those that Prometheus asks.
	programs = 2
	// beat is how often Prometheus is asked, and a scene goes on.
	beat = 300 * time.Millisecond
)

// Run plays the scenes. The error is that an alert did not fire, or fired on a shop that was well.
func Run(ctx context.Context, o Options, stdout, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "holdfast-alerts-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	names, err := readRules(o.Rules)
	if err != nil {
		return err
	}
	if err := complete(names); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(progress, "starting redis-server, mariadbd, a Temporal server, api, worker and prometheus")
	s, err := openSite(ctx, dir, o.Rules)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := &rehearsal{site: s, progress: progress, result: Result{Fired: make(map[string]float64), Silent: []string{}, TooEarly: make(map[string]string)}}
	if err := r.play(ctx, o.Only); err != nil {
		return err
	}
	return r.report(stdout)
}

// complete tells whether each alert has a scene, and the other way round.
func complete(names []string) error {
	var errs []error
	for _, name := range names {
		if !slices.ContainsFunc(scenes, func(s scene) bool { return s.alert == name }) {
			errs = append(errs, fmt.Errorf("nothing makes the alert %s fire", name))
		}
	}
	for _, s := range scenes {
		if !slices.Contains(names, s.alert) {
			errs = append(errs, fmt.Errorf("there is no alert %s", s.alert))
		}
	}
	return errors.Join(errs...)
}

type rehearsal struct {
	*site

	progress io.Writer
	result   Result
}

func (r *rehearsal) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.progress, format+"\n", args...)
}

func (r *rehearsal) play(ctx context.Context, only []string) error {
	for _, name := range []string{sku, "withheld", "offered"} {
		if err := r.SetStock(ctx, name, 1000); err != nil {
			return err
		}
	}
	if err := r.beCalm(ctx); err != nil {
		return err
	}
	for _, s := range scenes {
		if len(only) > 0 && !slices.Contains(only, s.alert) {
			continue
		}
		if err := r.perform(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.alert, err)
		}
	}
	return nil
}

// beCalm watches a shop that is well, once Prometheus has seen all of it.
func (r *rehearsal) beCalm(ctx context.Context) error {
	for end := time.Now().Add(calm); time.Now().Before(end); sleep(ctx, beat) {
		if firing, err := r.prometheus.Firing(ctx); err != nil || len(firing) > 0 {
			continue
		}
		if up, _, _, err := r.prometheus.Query(ctx, "up == 1", time.Now()); err == nil && strings.Count(up.String(), "up{") == programs {
			break
		}
	}
	r.say("selling for %s: nothing should fire", calm)
	for end := time.Now().Add(calm); time.Now().Before(end); {
		if err := buyOne(ctx, r.site); err != nil {
			return err
		}
		firing, err := r.prometheus.Firing(ctx)
		if err != nil {
			return err
		}
		if len(firing) > 0 {
			r.result.TooEarly = firing
			return nil
		}
		sleep(ctx, beat)
	}
	return nil
}

// perform plays a scene until its alert fires.
func (r *rehearsal) perform(ctx context.Context, s scene) (err error) {
	began := time.Now()
	defer func() {
		if s.mend != nil {
			err = errors.Join(err, s.mend(ctx, r.site))
		}
	}()
	for time.Since(began) < patience && ctx.Err() == nil {
		if err := s.wreck(ctx, r.site); err != nil {
			return err
		}
		firing, err := r.prometheus.Firing(ctx)
		if err != nil {
			return err
		}
		if summary, fires := firing[s.alert]; fires {
			took := time.Since(began)
			r.result.Fired[s.alert] = float64(took.Milliseconds()) / 1000
			r.say("%-38s fired after %4.1f s: %s. It says: %s", s.alert, took.Seconds(), s.how, summary)
			return nil
		}
		sleep(ctx, beat)
	}
	r.result.Silent = append(r.result.Silent, s.alert)
	r.say("%-38s DID NOT FIRE within %s: %s", s.alert, patience, s.how)
	return ctx.Err()
}

func (r *rehearsal) report(stdout io.Writer) error {
	line, err := json.Marshal(r.result)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "%s\n", line); err != nil {
		return err
	}
	if len(r.result.Silent) > 0 {
		return fmt.Errorf("did not fire: %s", strings.Join(r.result.Silent, ", "))
	}
	if len(r.result.TooEarly) > 0 {
		return fmt.Errorf("fired on a shop that was well: %s", strings.Join(slices.Sorted(maps.Keys(r.result.TooEarly)), ", "))
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
