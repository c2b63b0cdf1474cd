package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
)

// atOnce is how many callers wait for an answer at the same time.
const atOnce = 64

// BenchmarkOrders and BenchmarkEmptyWorkflows belong together: what an order costs beside a workflow
// that does nothing, on the same kind of Temporal server. Only their ratio means something.
func BenchmarkOrders(b *testing.B) {
	f := benchStack(b)
	if err := f.SetStock(b.Context(), "mug", int64(b.N)); err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	perSecond(b, func(ctx context.Context) error {
		i := n.Add(1)
		answer, err := f.Place(ctx, fmt.Sprintf("k-%d", i), shop.Buy(fmt.Sprintf("c-%d", i), "tok_ok", "mug", 1), 30*time.Second)
		if err == nil && answer.Status != http.StatusCreated {
			err = fmt.Errorf("answered %d %+v", answer.Status, answer.Problem)
		}
		return err
	})
}

func BenchmarkEmptyWorkflows(b *testing.B) {
	f := benchStack(b)
	temporal, err := client.Dial(client.Options{HostPort: f.TemporalAddr(), Namespace: stack.Namespace})
	if err != nil {
		b.Fatal(err)
	}
	defer temporal.Close()
	const queue = "empty"
	w := worker.New(temporal, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(func(workflow.Context) error { return nil }, workflow.RegisterOptions{Name: "Empty"})
	if err := w.Start(); err != nil {
		b.Fatal(err)
	}
	defer w.Stop()
	perSecond(b, func(ctx context.Context) error {
		run, err := temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: queue, EnableEagerStart: true}, "Empty")
		if err != nil {
			return err
		}
		return run.Get(ctx, nil)
	})
}

func benchStack(b *testing.B) shopFront {
	b.Helper()
	s, err := stack.Start(b.Context(), stack.Config{Data: b.TempDir(), API: free, Temporal: free, UI: free, Gateway: free})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Stop(); err != nil {
			b.Error(err)
		}
	})
	return shopFront{s, shop.New(s.APIURL())}
}

// perSecond calls once for each b.N, atOnce at a time, and reports the rate.
func perSecond(b *testing.B, call func(context.Context) error) {
	b.Helper()
	b.SetParallelism(atOnce / 2) // two processors
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := call(b.Context()); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "per_s")
}
