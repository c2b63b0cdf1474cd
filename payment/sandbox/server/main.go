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

	"holdfast/internal/healthcheck"
	"holdfast/payment/sandbox"
)

// secretVariable is no flag: those show in the list of processes.
const secretVariable = "HOLDFAST_SANDBOX_WEBHOOK_SECRET"

func main() {
	cfg := sandbox.Config{WebhookSecret: os.Getenv(secretVariable)}
	flag.StringVar(&cfg.Addr, "addr", "127.0.0.1:8090", "`HOST:PORT` to listen on")
	flag.StringVar(&cfg.Journal, "journal", "", "`FILE` that keeps the ledger; none keeps it in memory")
	flag.DurationVar(&cfg.AsyncDelay, "async-delay", sandbox.DefaultAsyncDelay, "how long an asynchronous payment is pending, as a `DURATION`")
	flag.StringVar(&cfg.WebhookURL, "webhook-url", "", "`URL` that is told what became of it, signed with $"+secretVariable+"; none tells nobody")
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
	slog.Info("payment sandbox", "url", provider.URL(), "journal", cfg.Journal, "webhook_url", cfg.WebhookURL)
	<-ctx.Done()
	patience, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	return provider.Stop(patience)
}
