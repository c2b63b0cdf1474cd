// Command devstack runs the whole of holdfast in one process, with everything that it needs, for
// development, demonstrations and tests.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/redis/go-redis/v9/logging"
	"github.com/spf13/cobra"

	"holdfast/devstack/alerts"
	"holdfast/devstack/bench"
	"holdfast/devstack/chaos"
	"holdfast/devstack/demo"
	"holdfast/devstack/histories"
	"holdfast/devstack/pictures"
	"holdfast/devstack/stack"
)

func main() {
	ctx, restore := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	logging.Disable()               // what go-redis would print is in the errors that it returns
	context.AfterFunc(ctx, restore) // a second Ctrl-C ends the process at once
	if err := command().ExecuteContext(ctx); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "devstack:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var cfg stack.Config
	cmd := &cobra.Command{
		Use:   "devstack",
		Short: "Run the whole of holdfast in one process",
		Long: `devstack runs a Temporal server with its Web UI, Redis, an order database, a sandbox
payment provider and warehouse, the API and a worker in one process, until Ctrl-C. All state is kept in --data.

Use a real server instead of an embedded one with --redis, --mysql or --temporal-address.`,
		Example: `  devstack --data .holdfast
  devstack --mysql 'holdfast:secret@tcp(127.0.0.1:3306)/holdfast' --redis 127.0.0.1:6379
  devstack --infra-only     # then start api and worker yourself, with the variables it prints`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			return serve(cmd.Context(), cmd.OutOrStdout(), cfg)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.Data, "data", ".holdfast", "directory that keeps all state")
	flags.StringVar(&cfg.API, "api", "127.0.0.1:8080", "address of the HTTP API")
	flags.StringVar(&cfg.Temporal, "temporal", "127.0.0.1:7233", "address of the embedded Temporal server")
	flags.StringVar(&cfg.UI, "ui", "127.0.0.1:8233", "address of the Temporal Web UI")
	flags.StringVar(&cfg.Gateway, "gateway", "127.0.0.1:8090", "address of the sandbox payment provider")
	flags.StringVar(&cfg.Warehouse, "warehouse", "127.0.0.1:8091", "address of the sandbox warehouse")
	flags.StringVar(&cfg.Kafka, "kafka", "127.0.0.1:9092", "address of the embedded Kafka broker; empty for none")
	flags.StringVar(&cfg.Redis, "redis", "", "HOST:PORT of a real Redis to use")
	flags.StringVar(&cfg.MySQL, "mysql", "", "DSN of a real MySQL or MariaDB to use")
	flags.StringVar(&cfg.TemporalAddress, "temporal-address", "", "HOST:PORT of a real Temporal to use")
	flags.BoolVar(&cfg.InfraOnly, "infra-only", false, "leave api and worker to be started as processes of their own")
	cmd.AddCommand(demo.Command(), bench.Command(), chaos.Command(), alerts.Command(), pictures.Command(), histories.Command())
	return cmd
}

// serve runs the stack until the context ends.
func serve(ctx context.Context, out io.Writer, cfg stack.Config) error {
	s, err := stack.Start(ctx, cfg)
	if err != nil {
		return err
	}
	announce(out, s, cfg.InfraOnly)
	select {
	case <-ctx.Done():
		return s.Stop()
	case err := <-s.Failed():
		return errors.Join(err, s.Stop())
	}
}

func announce(out io.Writer, s *stack.Stack, infraOnly bool) {
	if infraOnly {
		env := s.Env()
		for _, name := range slices.Sorted(maps.Keys(env)) {
			_, _ = fmt.Fprintf(out, "export %s='%s'\n", name, env[name])
		}
	}
	_, _ = fmt.Fprint(out, "ready:")
	for _, place := range []struct{ name, address string }{
		{"api", s.APIURL()},
		{"web-ui", s.UIURL()},
		{"temporal", s.TemporalAddr()},
		{"payment-provider", s.GatewayURL()},
		{"warehouse", s.WarehouseURL()},
		{"redis", s.RedisAddr()},
		{"kafka", s.KafkaAddr()},
		{"worker-metrics", s.MetricsURL()},
	} {
		if place.address != "" {
			_, _ = fmt.Fprintf(out, " %s=%s", place.name, place.address)
		}
	}
	_, _ = fmt.Fprintln(out)
}
