package pictures

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"holdfast/devstack/prom"
	"holdfast/devstack/shop"
)

// pace is how many shoppers come a second.
const pace = 120

// event is something that happens at a time of the story.
type event struct {
	after time.Duration
	what  string
	do    func(context.Context, *studio) error
}

type events []event

// story is a sale: the provider is down for a while, Redis is killed, a delivery comes, and in the end all is sold out.
var story = events{
	{15 * time.Second, "the provider is down", func(ctx context.Context, s *studio) error {
		return s.Ail(ctx, s.stack.GatewayURL(), shop.Fault{Mode: "down", Seconds: 8})
	}},
	{35 * time.Second, "Redis is killed", func(_ context.Context, s *studio) error { s.redis.Kill(); return nil }},
	{43 * time.Second, "Redis is back, and empty", func(ctx context.Context, s *studio) error { return s.redis.Restart(ctx) }},
	{58 * time.Second, "a delivery", func(ctx context.Context, s *studio) error { return s.Receive(ctx, "mug", 900, "delivery-1") }},
	{75 * time.Second, "the end", func(context.Context, *studio) error { return nil }},
}

func (e events) length() time.Duration { return e[len(e)-1].after }

// skus are what is sold, with the units that there are.
var skus = []struct {
	name  string
	units int64
}{{"mug", 2000}, {"hat", 2500}, {"print", 900}}

// method is how a shopper pays: most well.
func method(i int) string {
	switch {
	case i%25 == 7:
		return "tok_declined"
	case i%50 == 11:
		return "tok_async"
	case i%100 == 13:
		return "tok_lost"
	}
	return "tok_ok"
}

func (s *studio) play(ctx context.Context) error {
	for _, sku := range skus {
		if err := s.SetStock(ctx, sku.name, sku.units); err != nil {
			return err
		}
	}
	if err := s.untilScraped(ctx); err != nil {
		return err
	}
	s.began = time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		for _, e := range story {
			if wait(ctx, time.Until(s.began.Add(e.after))); ctx.Err() != nil {
				return ctx.Err()
			}
			s.say("%s: %s", e.after, e.what)
			if err := e.do(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", e.what, err)
			}
		}
		return nil
	})
	group.Go(func() error { return s.letShoppersIn(ctx) })
	return group.Wait()
}

// untilScraped waits until Prometheus knows of both programs.
func (s *studio) untilScraped(ctx context.Context) error {
	for {
		up, _, _, err := s.prometheus.Query(ctx, "count(count_over_time(up[5s]) >= 2) == 2", time.Now())
		if err != nil {
			return err
		}
		if vector, is := up.(model.Vector); is && len(vector) > 0 {
			return nil
		}
		if wait(ctx, prom.Scrape); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// letShoppersIn lets them come as the pace is, whatever they are answered.
func (s *studio) letShoppersIn(ctx context.Context) error {
	var shoppers errgroup.Group
	for i := 0; time.Since(s.began) < story.length() && ctx.Err() == nil; i++ {
		wait(ctx, time.Until(s.began.Add(time.Duration(i)*time.Second/pace)))
		shoppers.Go(func() error {
			_, err := s.Place(ctx, fmt.Sprint("k-", i), shop.Buy(fmt.Sprint("c-", i), method(i), skus[i%len(skus)].name, 1), 5*time.Second)
			return err
		})
	}
	return shoppers.Wait()
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
