package httpapi

import (
	"context"
	"slices"
	"sync"

	"go.temporal.io/sdk/client"
)

type healthAnswer struct {
	Body struct {
		Status  string   `json:"status" enum:"ok,degraded" doc:"degraded: Redis does not answer, and orders go on at the order database's speed."`
		Failing []string `json:"failing" nullable:"false" doc:"What does not answer."`
	} `nameHint:"Health"`
}

func healthy(status string, failing []string) *healthAnswer {
	answer := new(healthAnswer)
	answer.Body.Status, answer.Body.Failing = status, failing
	return answer
}

// live answers as long as the process does.
func (a *API) live(context.Context, *struct{}) (*healthAnswer, error) {
	return healthy("ok", []string{}), nil
}

// What readyz checks, in the words that it answers.
const (
	checkMySQL    = "mysql" // the order database, whichever it is
	checkTemporal = "temporal"
	checkRedis    = "redis"
)

// ready asks everything that orders need. Without Redis they go on, slower.
func (a *API) ready(ctx context.Context, _ *struct{}) (*healthAnswer, error) {
	failing := a.failing(ctx)
	if slices.Contains(failing, checkMySQL) || slices.Contains(failing, checkTemporal) {
		p := newProblem(slugUnavailable, "orders cannot be placed")
		p.Failing, p.retryAfter = failing, 1
		return nil, p
	}
	if len(failing) > 0 {
		return healthy("degraded", failing), nil
	}
	return healthy("ok", failing), nil
}

// failing lists, sorted, the checks that failed. They run side by side.
func (a *API) failing(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, a.patience.check)
	defer cancel()
	var mu sync.Mutex
	failing := []string{}
	var checks sync.WaitGroup
	check := func(name string, ask func(context.Context) error) {
		checks.Go(func() {
			err := ask(ctx)
			if err == nil {
				return
			}
			a.log(ctx).WarnContext(ctx, "not ready", "check", name, "error", err)
			mu.Lock()
			defer mu.Unlock()
			failing = append(failing, name)
		})
	}
	check(checkMySQL, a.Orders.Ping)
	check(checkRedis, a.Front.Ping)
	check(checkTemporal, func(ctx context.Context) error {
		_, err := a.Temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	})
	checks.Wait()
	slices.Sort(failing)
	return failing
}
