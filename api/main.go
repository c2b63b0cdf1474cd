// Command api serves the HTTP API: it starts orders, answers how they ended, and changes stock.
package main

import (
	"context"
	"flag"
	"os"

	"holdfast/app"
	"holdfast/config"
	"holdfast/internal/healthcheck"
)

func main() {
	check := flag.Bool("healthcheck", false, healthcheck.Usage)
	flag.Parse()
	if *check {
		os.Exit(app.CheckHealth(context.Background(), "api", os.Stderr, func(c config.Config) string { return c.APIAddr }))
	}
	os.Exit(app.Run("api", os.Stderr, app.NewAPI))
}
