// Command starter is holdfast's command line: it places orders and looks at them, sets stock, plays
// flash sales, audits the promises, reconciles and migrates the order database.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"holdfast/starter/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	return cli.Main(ctx, os.Args[1:], cli.Env{
		Name:    os.Args[0],
		Environ: os.Environ(),
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
	})
}
