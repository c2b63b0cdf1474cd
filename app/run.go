package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9/logging"

	"holdfast/config"
)

// Program is what an executable runs until it is told to stop.
type Program interface {
	// Start begins the work and returns once it is under way.
	Start(context.Context) error
	// Stop lets work under way end until the context ends, and lets go of everything. It is called
	// even if Start failed.
	Stop(context.Context) error
	// Addr is where the program serves, once started.
	Addr() string
	// Failed gives the reason if the program, once started, cannot go on by itself.
	Failed() <-chan error
}

// Run is the whole of an executable: it reads the configuration from the environment, runs the
// program until SIGINT or SIGTERM, and stops it within the shutdown timeout. A second signal ends it
// at once. It returns the exit code; logs and errors go to stderr.
func Run[P Program](name string, stderr io.Writer, connect func(context.Context, Options) (P, error)) int {
	ctx, restore := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer restore()
	cfg, err := config.Load()
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 2
	}
	logging.Disable() // what go-redis would print is in the errors that it returns
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: cfg.LogLevel})).With("program", name)
	if err := runUntil(ctx, restore, cfg, log, connect); err != nil {
		log.Error("stopped", "error", err)
		return 1
	}
	return 0
}

func runUntil[P Program](ctx context.Context, restore func(), cfg config.Config, log *slog.Logger,
	connect func(context.Context, Options) (P, error),
) error {
	program, err := connect(ctx, Options{Config: cfg, Log: log})
	if err != nil {
		return err
	}
	err = program.Start(ctx)
	if err == nil {
		log.InfoContext(ctx, "started", "address", program.Addr())
		select {
		case <-ctx.Done():
			log.InfoContext(ctx, "stopping")
		case err = <-program.Failed():
		}
	}
	restore()
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
	defer cancel()
	if stopErr := program.Stop(stopCtx); err == nil {
		err = stopErr
	}
	return err
}
