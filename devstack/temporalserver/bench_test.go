package temporalserver_test

import (
	"context"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// concurrency is how many callers start a workflow and wait for its end.
const concurrency = 64

func emptyWorkflow(workflow.Context) error { return nil }

// BenchmarkEmptyWorkflow is the yardstick of everything that is built on the server: a workflow that does
// nothing, started eagerly by a client that shares its connection with the worker.
func BenchmarkEmptyWorkflow(b *testing.B) {
	cfg := config(b.TempDir())
	cfg.UI = ""
	c := dial(b, start(b, cfg))
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(emptyWorkflow)
	if err := w.Start(); err != nil {
		b.Fatal(err)
	}
	defer w.Stop()
	run(b, c, "warm-up")

	var id atomic.Int64
	b.SetParallelism(concurrency / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			run(b, c, "empty-"+strconv.FormatInt(id.Add(1), 10))
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "workflows/s")
}

func run(b *testing.B, c client.Client, id string) {
	b.Helper()
	ctx := context.Background()
	r, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: queue, EnableEagerStart: true,
	}, emptyWorkflow)
	if err == nil {
		err = r.Get(ctx, nil)
	}
	if err != nil {
		b.Error(err)
	}
}
