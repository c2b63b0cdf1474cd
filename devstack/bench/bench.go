// Package bench measures holdfast: each figure as a ratio to a yardstick that takes turns with it in the same run,
// since an absolute figure means nothing on a shared machine. It runs on real servers where they are installed. Only
// the devstack program imports it.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Options say what is measured, and for how long.
type Options struct {
	// Only are the names of the scenarios to run; empty for all that Run runs by itself.
	Only []string
	// Duration is how long each side of a comparison takes its turn, Repetitions how many turns it has.
	Duration    time.Duration
	Repetitions int
	// Shoppers is how many orders are under way at once.
	Shoppers int
	// Orders is how many orders the soak places, in slices of Slice.
	Orders, Slice int
	// Levels are how many orders are under way at once in the sweep.
	Levels []int
	// CSV and SVG are the files that the sweep is written to, which runs if one is given; empty for none.
	CSV, SVG string
	// Settings are variables of api and worker, HOLDFAST_*, to try others than the defaults; the report says so.
	Settings map[string]string
	// Embedded takes the embedded Redis and database even if real ones are installed.
	Embedded bool
	// Programs is the directory of the executables api and worker; empty for the one of this executable.
	Programs string
}

// bench is a run.
type bench struct {
	Options

	progress    io.Writer
	dir         string // for everything that the run writes
	servers     *servers
	report      *report
	emptyAtOnce int // 0 before calibrate
}

// scenario is something to measure, each on a stack of its own.
type scenario struct {
	name string
	what string
	when when // it runs without being asked for
	run  func(*bench, context.Context) error
}

// when says of a scenario whether it runs if none is asked for by name.
type when func(Options) bool

func always(Options) bool { return true }

func never(Options) bool { return false }

func withFiles(o Options) bool { return o.CSV != "" || o.SVG != "" }

var scenarios = []scenario{
	{"footprint", "what a lone order leaves behind", always, (*bench).footprint},
	{"single", "one order at a time, on an idle system", always, (*bench).single},
	{"hot", "orders of one hot SKU", always, (*bench).hot},
	{"many", "orders of 1 to 3 lines, of 1,000 SKUs", always, (*bench).many},
	{"slow", "orders whose provider takes 200 ms to answer", always, (*bench).slow},
	{"separate", "orders, with api and worker as processes of their own", always, (*bench).separate},
	{"soldout", "orders of a SKU that is sold out", always, (*bench).soldOut},
	{"sweep", "orders of one hot SKU, from 1 to 2,000 at once; always with --csv or --svg", withFiles, (*bench).sweep},
	{"soak", "very many orders, to see whether they slow down", always, (*bench).soak},
	{"empty", "empty workflows alone; only if asked for", never, (*bench).empty},
}

// Run measures, and writes the table and the JSON object to out. What fails does not keep the rest from being measured;
// the error lists it.
func Run(ctx context.Context, o Options, out, progress io.Writer) (err error) {
	chosen, err := o.scenarios()
	if err != nil {
		return err
	}
	b := &bench{Options: o, progress: progress, report: newReport()}
	if b.dir, err = os.MkdirTemp("", "holdfast-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.servers = new(servers); !o.Embedded {
		if b.servers, err = startServers(ctx, b.dir); err != nil {
			return err
		}
		defer b.servers.stop()
	}
	if b.report.servers, err = b.servers.versions(ctx); err != nil {
		return err
	}
	b.report.settings = o.Settings
	b.warnOfEmbedded(out)
	var failures []error
	for _, s := range chosen {
		b.say("%s: %s", s.name, s.what)
		if err := s.run(b, ctx); err != nil {
			if ctx.Err() != nil {
				return err
			}
			b.say("  FAILED: %v", err)
			b.report.failed = append(b.report.failed, fmt.Sprintf("%s: %v", s.name, err))
			failures = append(failures, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errors.Join(append(failures, b.report.print(out, len(o.Only) > 0))...)
}

func (o Options) scenarios() ([]scenario, error) {
	if o.Duration <= 0 || o.Duration > time.Minute { // the API hangs up on who says nothing for two minutes
		return nil, errors.New("--duration must be more than 0 and at most 1m")
	}
	if o.Repetitions < 1 || o.Shoppers < 1 || o.Slice < 1 || o.Orders < o.Slice {
		return nil, fmt.Errorf("--repetitions and --shoppers must be at least 1, --orders at least %d", o.Slice)
	}
	var chosen []scenario
	unknown := slices.Clone(o.Only)
	for _, s := range scenarios {
		if len(o.Only) == 0 && s.when(o) || slices.Contains(o.Only, s.name) {
			chosen = append(chosen, s)
		}
		unknown = slices.DeleteFunc(unknown, func(name string) bool { return name == s.name })
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("there is no scenario %s; --help lists them", strings.Join(unknown, ", "))
	}
	return chosen, nil
}

// onFloor opens a floor for the scenario, and audits it when everything is measured.
func (b *bench) onFloor(ctx context.Context, name string, separate bool, measure func(context.Context, *floor) error) (err error) {
	f, err := b.open(ctx, separate)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if err := measure(ctx, f); err != nil {
		return err
	}
	began := time.Now()
	if err := f.audit(ctx); err != nil {
		return err
	}
	b.report.audited = append(b.report.audited, name)
	b.say("  the books balance (audited in %s)", time.Since(began).Round(time.Millisecond))
	return nil
}

func (b *bench) warnOfEmbedded(out io.Writer) {
	if missing := b.servers.embedded(); len(missing) > 0 {
		fmt.Fprintf(out, "NOT ON REAL SERVERS: %s embedded, so these figures say nothing of a deployment. "+
			"sh scripts/test-servers.sh installs redis-server and mariadbd on Debian and Ubuntu.\n\n", strings.Join(missing, " and "))
	}
}

// say tells how far it is.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }
