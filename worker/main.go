// Command worker carries orders to their ends: it runs the workflows and their steps.
package main

import (
	"cmp"
	"context"
	"flag"
	"os"

	"holdfast/app"
	"holdfast/config"
	"holdfast/internal/healthcheck"
)

func main() {
	deployment := flag.String("deployment", "", "name of the deployment for Temporal's worker versioning (HOLDFAST_DEPLOYMENT)")
	buildID := flag.String("build-id", "", "version of this build in the deployment (HOLDFAST_BUILD_ID)")
	check := flag.Bool("healthcheck", false, healthcheck.Usage)
	flag.Parse()
	if *check {
		os.Exit(app.CheckHealth(context.Background(), "worker", os.Stderr, func(c config.Config) string { return c.WorkerAddr }))
	}
	os.Exit(app.Run("worker", os.Stderr, func(ctx context.Context, o app.Options) (*app.Worker, error) {
		o.Config.Deployment = cmp.Or(*deployment, o.Config.Deployment)
		o.Config.BuildID = cmp.Or(*buildID, o.Config.BuildID)
		if err := o.Config.Validate(); err != nil {
			return nil, err
		}
		return app.NewWorker(ctx, o)
	}))
}
