package app

import (
	"context"
	"fmt"
	"io"

	"holdfast/config"
	"holdfast/internal/healthcheck"
)

// CheckHealth asks the program that runs with the same environment whether it is ready, and returns the exit code: 0 if
// it is. addr is where it serves.
func CheckHealth(ctx context.Context, name string, stderr io.Writer, addr func(config.Config) string) int {
	cfg, err := config.Load()
	if err == nil {
		err = healthcheck.Ask(ctx, addr(cfg), "/readyz")
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}
