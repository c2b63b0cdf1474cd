//go:build unix

// Command strategies is what "make strategies" runs: it sells one hot row to many buyers at once on real servers, by
// each way to hold units that was considered, and prints which oversell and what each costs. It is a development tool
// behind docs/decisions/0006: nothing of the product needs it, and "make test" does not run it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"holdfast/internal/testserver"
)

func main() {
	l := load{}
	flag.IntVar(&l.buyers, "buyers", 64, "how many buy at once")
	flag.IntVar(&l.attempts, "attempts", 100, "orders of each buyer, of one unit each; fast strategies get a multiple of them and of units")
	flag.Int64Var(&l.units, "units", 5000, "units that exist; fewer than orders, so that they sell out")
	flag.IntVar(&l.rounds, "rounds", 3, "how often each strategy is run, the others in between")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, l, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "strategies:", err)
		os.Exit(1)
	}
}

// run measures every server that is installed, one after the other.
func run(ctx context.Context, l load, out io.Writer) error {
	if err := l.valid(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d buyers, %d orders for each %d units of one SKU; median of %d rounds (lowest to highest)\n",
		l.buyers, l.buyers*l.attempts, l.units, l.rounds)
	measured := 0
	for _, e := range engines {
		switch err := e.measure(ctx, l, out); {
		case err == nil:
			measured++
		case errors.Is(err, testserver.ErrNotFound):
			fmt.Fprintf(out, "\n%s DID NOT RUN: %v (sh scripts/test-servers.sh installs it on Debian and Ubuntu)\n", e.name, err)
		default:
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	if measured == 0 {
		return errors.New("no server to run on")
	}
	return nil
}
