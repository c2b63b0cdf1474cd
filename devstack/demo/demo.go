// Package demo is holdfast's main job in half a minute: real orders through the HTTP API, with the
// failures that holdfast is for, and the proof that the promises held.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"holdfast/devstack/program"
	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
)

// timeLimit ends a demo that hangs. It usually takes half a minute.
const timeLimit = 5 * time.Minute

// Command is `devstack demo`.
func Command() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Place real orders, break things in the middle of it, and audit the result",
		Long: `demo starts everything from nothing on free ports: Temporal, Redis, the order database and the
payment provider in this process, api and worker as processes of their own. It places orders that are
confirmed, declined, charged without an answer and sold out, runs a small flash sale in the middle of
which it kills the worker and wipes Redis, and audits the result. It exits 0 only if the promises held.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeLimit)
			defer cancel()
			return run(ctx, cmd.OutOrStdout())
		},
	}
}

// show is a demo under way.
type show struct {
	*shop.Client
	out    io.Writer
	stack  *stack.Stack
	dir    string
	env    map[string]string
	worker *program.Program
	table  []row
}

// row is a line of the table at the end.
type row struct{ what, saw, proof string }

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "holdfast-demo-")
	if err != nil {
		return err
	}
	d := &show{out: out, dir: dir}
	defer func() {
		if err != nil {
			d.say("The logs and the data are kept in %s", dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	const free = "127.0.0.1:0"
	d.stack, err = stack.Start(ctx, stack.Config{Data: dir, Temporal: free, UI: free, Gateway: free, InfraOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stack.Stop()) }()
	d.env = d.stack.Env()
	d.say("Temporal, Redis, the order database and the payment provider run; Temporal Web UI: %s", d.stack.UIURL())
	if err := d.startWorker(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.worker.Stop()) }()
	api, err := program.Start(ctx, "", "api", "", d.env, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, api.Stop()) }()
	d.Client = shop.New(api.URL())
	d.say("api (pid %d) and worker (pid %d) run as processes of their own; API: %s", api.Pid(), d.worker.Pid(), api.URL())
	return d.perform(ctx)
}

// perform plays every scene, and fails with the first promise that did not hold.
func (d *show) perform(ctx context.Context) error {
	for _, scene := range []func(context.Context) error{
		d.confirmed, d.declined, d.lostAnswer, d.soldOut, d.flashSale, d.handOff, d.audit,
	} {
		if err := scene(ctx); err != nil {
			d.printTable()
			return err
		}
	}
	d.printTable()
	d.say("The promises held.")
	return nil
}

func (d *show) startWorker(ctx context.Context) (err error) {
	d.worker, err = program.Start(ctx, "", "worker", "", d.env, d.dir)
	return err
}

func (d *show) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format+"\n", args...) }

func (d *show) saw(what, saw, proof string) { d.table = append(d.table, row{what, saw, proof}) }
