// Package cli is the starter's commands: what they ask of the API, of Temporal and of the order
// database, what they print and how they exit. Only program starter imports it.
//
// Stdout carries the result alone, as tables or, with --output json, as one JSON document; everything
// said to people goes to stderr.
package cli

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
)

// Exit codes of every command.
const (
	exitOK       = 0
	exitError    = 1 // unreachable, timed out, failed inside; an audit that does not hold
	exitUsage    = 2 // flags, arguments, or a request that the API refused; nothing was changed
	exitRejected = 3 // order place: the order is rejected or cancelled; order cancel: it cannot be cancelled
	exitPending  = 4 // order place: the order has no end yet; order cancel: something is still owed
)

// Env is what the program gets from its surroundings.
type Env struct {
	// Name is how the program was called. Commands that the user may repeat are shown with it;
	// "starter" if empty.
	Name string
	// Environ are the environment variables, each as NAME=value.
	Environ []string
	Stdout  io.Writer
	Stderr  io.Writer
}

// Main runs the command that the arguments name and returns the exit code.
func Main(ctx context.Context, args []string, env Env) int { return newApp(env).main(ctx, args) }

// New makes the whole tree of commands. A command that fails returns an error and prints nothing of
// it; Main shows it and knows its exit code.
func New(env Env) *cobra.Command { return newApp(env).root() }

// app is what the commands share.
type app struct {
	name    string
	environ environ
	stdout  io.Writer
	stderr  io.Writer

	// The global flags.
	apiURL string
	output format

	http *http.Client
	// pause waits between repeats; its error is the context's.
	pause func(context.Context, time.Duration) error
	// dial connects to Temporal.
	dial func(context.Context, client.Options) (client.Client, error)
}

func newApp(env Env) *app {
	if env.Name == "" {
		env.Name = "starter"
	}
	return &app{
		name: env.Name, environ: environ(env.Environ), stdout: env.Stdout, stderr: env.Stderr,
		output: formatTable, http: newHTTPClient(), pause: pause, dial: client.DialContext,
	}
}

// newHTTPClient makes a client that follows no redirects: a redirected POST would turn into a GET and
// seem to succeed. The API redirects nothing. Time limits come with each request.
func newHTTPClient() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (a *app) main(ctx context.Context, args []string) int {
	root := a.root()                          //nolint:contextcheck // each command takes the context that it is executed with
	root.SetArgs(append([]string{}, args...)) // nil would mean the arguments of the process
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && formatAsked(args) {
		a.output = formatJSON // the flags may not have been read up to it
	}
	return a.report(cmd, err)
}

func (a *app) root() *cobra.Command {
	root := a.group(&cobra.Command{
		Use:   "starter",
		Short: "Place, cancel and answer orders, set stock, play a flash sale, audit, reconcile, hand off, migrate",
		Long: `The command line of holdfast, which places orders that hold under fire.

It speaks to holdfast's API over HTTP. "order place --direct", "order resolve", "reconcile", "handoff" and "migrate" speak to
Temporal, "migrate" to the order database as well.

` + exitCodesHelp + `

Environment:
  HOLDFAST_API_URL      the API, ` + defaultAPI + ` if unset; --api comes before it
  HOLDFAST_UI_URL       Temporal's Web UI, such as http://127.0.0.1:8233: orders are shown with a link
  HOLDFAST_TASK_QUEUE   the task queue of "order place --direct", "reconcile" and "handoff", "` + defaultTaskQueue + `" if unset
  HOLDFAST_KAFKA_BROKERS, HOLDFAST_EVENTS_TOPIC  where "events tail" reads
  HOLDFAST_MYSQL_DSN    the order database for "migrate"; or
  HOLDFAST_SQLITE_PATH  the same as a SQLite file
  TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_...  how to reach Temporal`,
		Example: `  starter stock set mug 100
  starter order place --customer c-17 --currency EUR --payment-method tok_ok --line mug:2:1999
  starter order list --status PENDING
  starter flash-sale --shoppers 10000 --units 1000
  starter audit`,
	},
		a.orderCommand(), a.stockCommand(), a.flashSaleCommand(), a.auditCommand(), a.reconcileCommand(), a.handOffCommand(),
		a.eventsCommand(), a.migrateCommand())
	root.SilenceErrors, root.SilenceUsage = true, true // Main shows them
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	flags := root.PersistentFlags()
	flags.StringVar(&a.apiURL, "api", "", "the API's `URL` (HOLDFAST_API_URL, else "+defaultAPI+")")
	flags.VarP(&a.output, "output", "o", "`format` of what is printed: table or json")
	return root
}

const exitCodesHelp = `Exit codes:
  0  done; order place: the order is confirmed
  1  error: unreachable, timed out, failed inside; audit, flash-sale: the promises do not hold; handoff: pages are refused
  2  usage: flags, arguments, or a request that the API refused (4xx); nothing was changed
  3  order place: the order is rejected or cancelled; order cancel: it cannot be cancelled
  4  order place: the order is pending, it has no end yet; order cancel: something is still owed`

// group makes a command of commands. Alone it is not enough, and a name that it does not know is a
// mistake; cobra itself would print the help and report success.
func (a *app) group(cmd *cobra.Command, subcommands ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(subcommands...)
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("%s has no command %q", cmd.CommandPath(), args[0])
		}
		var names []string
		for _, sub := range subcommands { // without cobra's own
			names = append(names, sub.Name())
		}
		return usagef("%s needs a command: %s", cmd.CommandPath(), strings.Join(names, ", "))
	}
	return cmd
}

// action is what a command does.
type action func(ctx context.Context, cmd *cobra.Command, args []string) error

// run adapts an action to cobra. Every error that leaves it has its exit code, so that an error
// without one is known to be cobra's own, about flags and arguments.
func run(do action) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return withCode(do(cmd.Context(), cmd, args))
	}
}

// pause waits, unless the context ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
