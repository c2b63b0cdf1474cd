package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"holdfast/devstack/shop"
)

// footprint measures what one order after the other leaves: events in Temporal, bytes in Redis.
func (b *bench) footprint(ctx context.Context) error {
	const orders = 20
	return b.onFloor(ctx, "footprint", false, func(ctx context.Context, f *floor) (err error) {
		if err := f.SetStock(ctx, hotSKU, plenty); err != nil {
			return err
		}
		client := redis.NewClient(&redis.Options{Addr: f.stack.RedisAddr()})
		defer func() { err = errors.Join(err, client.Close()) }()
		if _, err := f.placeAlone(ctx, "first"); err != nil { // it loads the SKU's count, which is not the order's own
			return err
		}
		before, err := measureKeys(ctx, client)
		if err != nil {
			return err
		}
		var events, bytes []float64
		shortest := time.Duration(1<<63 - 1)
		for i := range orders {
			n, err := f.placeAlone(ctx, fmt.Sprintf("footprint-%d", i))
			if err != nil {
				return err
			}
			after, err := measureKeys(ctx, client)
			if err != nil {
				return err
			}
			lives, err := after.expiryOfNew(before)
			if err != nil {
				return err
			}
			events, bytes = append(events, n), append(bytes, float64(after.total()-before.total()))
			before, shortest = after, min(shortest, lives)
		}
		b.report.add("history_events_per_order", spreadOf(events), fmt.Sprintf("%d orders, each alone", orders))
		b.report.add("redis_bytes_per_order", spreadOf(bytes), fmt.Sprintf("by MEMORY USAGE, SKU %s; gone after %s", hotSKU, shortest.Round(time.Second)))
		b.report.detail("footprint", map[string]any{"orders": orders, "redis_expiry_s": shortest.Round(time.Second).Seconds()})
		return nil
	})
}

// placeAlone places one order, waits for its workflow's end, and gives how many events that took.
func (f *floor) placeAlone(ctx context.Context, key string) (events float64, err error) {
	answer, err := f.PlaceUntilDefinite(ctx, key, shop.Buy("ada", "tok_ok", hotSKU, 1))
	if err != nil {
		return 0, err
	}
	if answer.Status != http.StatusCreated {
		return 0, fmt.Errorf("order %s was answered %d, want 201: %s", key, answer.Status, answer.Problem.Detail)
	}
	id := answer.Order.WorkflowID
	if err := f.empties.temporal.GetWorkflow(ctx, id, "").Get(ctx, nil); err != nil {
		return 0, fmt.Errorf("workflow %s: %w", id, err)
	}
	described, err := f.empties.temporal.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return 0, fmt.Errorf("workflow %s: %w", id, err)
	}
	return float64(described.GetWorkflowExecutionInfo().GetHistoryLength()), nil
}

// keys are what Redis holds.
type keys map[string]struct {
	bytes int64
	lives time.Duration // negative: for ever
}

func measureKeys(ctx context.Context, client *redis.Client) (keys, error) {
	found := keys{}
	scan := client.Scan(ctx, 0, "*", 1000).Iterator()
	for scan.Next(ctx) {
		name := scan.Val()
		bytes, err := client.MemoryUsage(ctx, name).Result()
		if errors.Is(err, redis.Nil) {
			continue // it has just expired
		}
		if err != nil {
			return nil, err
		}
		lives, err := client.PTTL(ctx, name).Result()
		if err != nil {
			return nil, err
		}
		key := found[name]
		key.bytes, key.lives = bytes, lives
		found[name] = key
	}
	return found, scan.Err()
}

func (k keys) total() int64 {
	var sum int64
	for _, key := range k {
		sum += key.bytes
	}
	return sum
}

// expiryOfNew is how long the keys live that before does not have. It fails if there is none, or one that stays.
func (k keys) expiryOfNew(before keys) (time.Duration, error) {
	longest := time.Duration(0)
	for name, key := range k {
		if _, known := before[name]; known {
			continue
		}
		if key.lives < 0 {
			return 0, fmt.Errorf("an order leaves the key %s in Redis for ever", name)
		}
		longest = max(longest, key.lives)
	}
	if longest == 0 {
		return 0, errors.New("an order left no key in Redis: it was reserved without it")
	}
	return longest, nil
}
