package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
)

// wreck carries the plan out and returns when all faults are over. said is told of each as it begins.
func (s *site) wreck(ctx context.Context, faults []fault, said func(fault)) error {
	began := time.Now()
	var underWay sync.WaitGroup
	failed := make(chan error, len(faults))
	for _, f := range faults {
		sleep(ctx, time.Until(began.Add(f.at)))
		if ctx.Err() != nil {
			break
		}
		said(f)
		underWay.Go(func() {
			if err := s.make(ctx, f); err != nil {
				failed <- fmt.Errorf("%s: %w", f, err)
			}
		})
	}
	underWay.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return ctx.Err()
	}
}

// make lets one fault happen and be over. What cannot be done because its target is away is no error.
func (s *site) make(ctx context.Context, f fault) error {
	switch f.kind {
	case kill:
		s.kept[f.target].kill(f.length)
	case pause:
		s.kept[f.target].pause(ctx, f.length)
	case cut:
		return s.cut(f.target)
	case delay:
		return s.poison(ctx, f.target, "latency", map[string]int{"latency": f.amount}, f.length)
	case lose:
		return s.poison(ctx, f.target, "limit_data", map[string]int{"bytes": f.amount}, f.length)
	case hang:
		return s.poison(ctx, f.target, "timeout", map[string]int{"timeout": 0}, f.length)
	case flush, evict, forget:
		s.robRedis(ctx, f)
	case slow, down, lossy, oblivious:
		s.ail(ctx, f)
	case terminate:
		s.terminate(ctx, f)
	default:
		return errors.New("nobody knows how to make it")
	}
	return nil
}

// robRedis takes what Redis has.
func (s *site) robRedis(ctx context.Context, f fault) {
	ctx, cancel := context.WithTimeout(ctx, f.length+time.Second)
	defer cancel()
	switch f.kind {
	case flush:
		s.rdb.FlushAll(ctx)
	case forget:
		for range f.amount {
			if key, err := s.rdb.RandomKey(ctx).Result(); err == nil {
				s.rdb.Del(ctx, key)
			}
		}
	case evict:
		s.rdb.ConfigSet(ctx, "maxmemory-policy", "allkeys-random")
		s.rdb.ConfigSet(ctx, "maxmemory", "1mb") // less than an empty one takes: every write evicts all it can
		sleep(ctx, f.length)
		s.rdb.ConfigSet(context.WithoutCancel(ctx), "maxmemory", "0")
	}
}

// ail makes the provider ill, which ends by itself.
func (s *site) ail(ctx context.Context, f fault) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	sick := shop.Fault{Mode: map[string]string{slow: "slow", down: "down", lossy: "lossy", oblivious: "forgetful"}[f.kind]}
	sick.Seconds = int((f.length + time.Second - 1) / time.Second)
	if f.kind == slow {
		sick.DelayMS = f.amount
	}
	_ = s.shops[0].Ail(ctx, s.providerURL(), sick) // the provider may be down
}

// terminate ends running workflows of orders and batches as somebody in the Web UI does.
func (s *site) terminate(ctx context.Context, f fault) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	open, err := s.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: stack.Namespace, PageSize: 100,
		Query: "ExecutionStatus = 'Running' AND WorkflowType IN ('PlaceOrder', 'PlaceOrders', 'CancelOrder')",
	})
	if err != nil {
		return // Temporal is away
	}
	runs := open.GetExecutions()
	rand.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] }) //nolint:gosec // which are running is up to the machine anyway
	for _, run := range runs[:min(f.amount, len(runs))] {
		e := run.GetExecution()
		_ = s.temporal.TerminateWorkflow(ctx, e.GetWorkflowId(), e.GetRunId(), "chaos") // it may have ended
	}
}
