// Command server runs the sandbox warehouse by itself, as docker-compose needs it. Nothing imports it.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"holdfast/internal/healthcheck"
	"holdfast/warehouse/sandbox"
)

func main() {
	var cfg sandbox.Config
	flag.StringVar(&cfg.Addr, "addr", "127.0.0.1:8091", "`HOST:PORT` to listen on")
	flag.StringVar(&cfg.Journal, "journal", "", "`FILE` that keeps what arrived; none keeps it in memory")
	check := flag.Bool("healthcheck", false, healthcheck.Usage)
	flag.Parse()
	if *check {
		if err := healthcheck.Ask(context.Background(), cfg.Addr, "/healthz"); err != nil {
			slog.Error("not well", "error", err)
			os.Exit(1)
		}
		return
	}
	if err := run(cfg); err != nil {
		slog.Error("warehouse sandbox failed", "error", err)
		os.Exit(1)
	}
}

func run(cfg sandbox.Config) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	warehouse := sandbox.New(cfg)
	if err := warehouse.Start(ctx); err != nil {
		return err
	}
	slog.Info("warehouse sandbox", "url", warehouse.URL(), "journal", cfg.Journal)
	<-ctx.Done()
	patience, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	return warehouse.Stop(patience)
}
