// Command server runs the sandbox payment provider by itself, as docker-compose needs it. Nothing
// imports it.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"holdfast/payment/sandbox"
)

func main() {
	var cfg sandbox.Config
	flag.StringVar(&cfg.Addr, "addr", "127.0.0.1:8090", "`HOST:PORT` to listen on")
	flag.StringVar(&cfg.Journal, "journal", "", "`FILE` that keeps the ledger; none keeps it in memory")
	flag.Parse()
	if err := run(cfg); err != nil {
		slog.Error("payment sandbox failed", "error", err)
		os.Exit(1)
	}
}

func run(cfg sandbox.Config) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	provider := sandbox.New(cfg)
	if err := provider.Start(ctx); err != nil {
		return err
	}
	slog.Info("payment sandbox", "url", provider.URL(), "journal", cfg.Journal)
	<-ctx.Done()
	patience, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	return provider.Stop(patience)
}
