package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"holdfast/app"
	"holdfast/config"
	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/workflows"
)

// startVersion starts a worker of a version beside the stack.
func (f shopFront) startVersion(t *testing.T, temporal client.Client, buildID string) {
	t.Helper()
	env := f.Env()
	env["HOLDFAST_DEPLOYMENT"], env["HOLDFAST_BUILD_ID"] = "shop", buildID
	cfg, err := config.LoadFrom(env)
	if err != nil {
		t.Fatal(err)
	}
	worker, err := app.NewWorker(t.Context(), app.Options{Config: cfg, Temporal: temporal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := worker.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := worker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestAnOrderEndsOnTheVersionThatItBeganOn deploys a second version while an order waits for its payment.
func TestAnOrderEndsOnTheVersionThatItBeganOn(t *testing.T) {
	t.Parallel()
	infra := open(t, func(cfg *stack.Config) { cfg.InfraOnly = true })
	temporal := infra.temporal(t)
	cfg, err := config.LoadFrom(infra.Env())
	if err != nil {
		t.Fatal(err)
	}
	cfg.APIAddr = free
	api, err := app.NewAPI(t.Context(), app.Options{Config: cfg, Temporal: temporal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Stop(context.Background()) })
	if err := api.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := shopFront{infra.Stack, shop.New("http://" + api.Addr())}
	const stock = 10_000
	f.sell(t, "mug", stock)

	f.startVersion(t, temporal, "v1")
	f.makeCurrent(t, temporal, "v1")
	slow := shop.Buy("c-1", "tok_slow", "mug", 1)
	pending := f.leavePending(t, slow)
	f.startVersion(t, temporal, "v2")
	f.makeCurrent(t, temporal, "v2")
	version := func(workflowID string) string {
		run, err := temporal.DescribeWorkflowExecution(t.Context(), workflowID, "")
		if err != nil {
			t.Fatal(err)
		}
		return run.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion().GetBuildId()
	}
	// The task queue hears of a new current version a moment later.
	sold, deadline := int64(0), time.Now().Add(30*time.Second)
	for {
		sold++
		quick := f.buy(t, fmt.Sprint("quick-", sold), shop.Buy("c-2", "tok_ok", "mug", 1))
		if version(workflows.WorkflowID(quick.ID())) == "v2" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no new order runs on the new version")
		}
	}
	if answer := f.buy(t, "k", slow); answer.Status != http.StatusCreated {
		t.Errorf("answered %d", answer.Status)
	}
	if got := version(pending.Order.WorkflowID); got != "v1" {
		t.Errorf("the order that began on v1 ended on %q", got)
	}
	f.quiet(t)
	f.left(t, "mug", stock-1-sold)
}

// makeCurrent is what an operator does once the workers of a version poll.
func (f shopFront) makeCurrent(t *testing.T, temporal client.Client, buildID string) {
	t.Helper()
	handle := temporal.WorkerDeploymentClient().GetHandle("shop")
	deadline, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		_, err := handle.SetCurrentVersion(deadline, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: buildID})
		if err == nil {
			return
		}
		if deadline.Err() != nil {
			t.Fatal(err)
		}
		pause(deadline, 50*time.Millisecond)
	}
}
