package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/testserver"
)

// rush lets shoppers in at once, each for one unit, until every one of them knows how his order ended.
func (f shopFront) rush(t *testing.T, shoppers int, sku string) (confirmed, soldOut int64) {
	t.Helper()
	var yes, no atomic.Int64
	group, ctx := errgroup.WithContext(t.Context())
	for i := range shoppers {
		group.Go(func() error {
			answer, err := f.PlaceUntilDefinite(ctx, fmt.Sprintf("%s-%d", sku, i), shop.Buy(fmt.Sprintf("c-%d", i), "tok_ok", sku, 1))
			switch {
			case err != nil:
				return err
			case answer.Status == http.StatusCreated:
				yes.Add(1)
			case answer.Status == http.StatusConflict && answer.Problem.Slug() == "sold-out":
				no.Add(1)
			default:
				return fmt.Errorf("answered %d %+v", answer.Status, answer.Problem)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return yes.Load(), no.Load()
}

func TestAFlashSaleSellsExactlyWhatThereIs(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "drop", 50)
	if confirmed, soldOut := f.rush(t, 150, "drop"); confirmed != 50 || soldOut != 100 {
		t.Errorf("%d confirmed and %d sold out, want 50 and 100", confirmed, soldOut)
	}
	f.quiet(t)
	f.left(t, "drop", 0)
}

// TestAFlashSaleOnRealServers wipes a real Redis again and again while a real MariaDB decides.
func TestAFlashSaleOnRealServers(t *testing.T) {
	t.Parallel()
	server := testserver.Redis(t)
	dsn := testserver.MariaDBDatabase(t)
	f := open(t, func(cfg *stack.Config) { cfg.Redis, cfg.MySQL = server.Addr(), dsn })
	f.sell(t, "drop", 50)
	ctx, stop := context.WithCancel(t.Context())
	wiped := make(chan int)
	go func() { wiped <- wipe(ctx, server.Addr(), pauseBetweenWipes) }()
	confirmed, soldOut := f.rush(t, 150, "drop")
	stop()
	if times := <-wiped; times == 0 {
		t.Error("Redis was never wiped, so nothing was shown")
	}
	if confirmed != 50 || soldOut != 100 {
		t.Errorf("%d confirmed and %d sold out, want 50 and 100", confirmed, soldOut)
	}
	f.quiet(t)
	f.left(t, "drop", 0)
}

// wipe flushes Redis until the context ends, and counts how often.
func wipe(ctx context.Context, addr string, every time.Duration) (times int) {
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = rdb.Close() }()
	for ctx.Err() == nil {
		if rdb.FlushAll(ctx).Err() == nil {
			times++
		}
		pause(ctx, every)
	}
	return times
}
