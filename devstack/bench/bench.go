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
	// Shoppers is how many orders are under way at once, and twice that with a slow provider.
	Shoppers int
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
	name   string
	what   string
	always bool // it runs also if it was not asked for
	run    func(*bench, context.Context) error
}

var scenarios = []scenario{
	{"hot", "orders of one hot SKU", true, (*bench).hot},
	{"many", "orders of 1 to 3 lines, of 1,000 SKUs", true, (*bench).many},
	{"slow", "orders whose provider takes 200 ms to answer", true, (*bench).slow},
	{"separate", "orders, with api and worker as processes of their own", true, (*bench).separate},
	{"empty", "empty workflows alone", false, (*bench).empty},
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
	if o.Repetitions < 1 || o.Shoppers < 1 {
		return nil, errors.New("--repetitions and --shoppers must be at least 1")
	}
	var chosen []scenario
	unknown := slices.Clone(o.Only)
	for _, s := range scenarios {
		if len(o.Only) == 0 && s.always || slices.Contains(o.Only, s.name) {
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
