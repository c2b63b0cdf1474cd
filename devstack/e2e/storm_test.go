package e2e_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // registers "mysql"
	"github.com/redis/go-redis/v9"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/workflows"
)

// The sale of these tests: as many shoppers, each for one unit, on real Redis and MariaDB.
const (
	stormShoppers = 2000
	stormUnits    = 500
	stormAtOnce   = 250 // more would wait for the machine, and not for Redis
)

// storm is a sale with something going wrong beside it.
type storm struct {
	shopFront
	redis   *testserver.Server
	mariadb *testserver.Database

	methods []string // of payment; shoppers take them in turn
	cancels int      // each how manieth shopper cancels the order, whose payment takes its time; 0 is none

	answered                                atomic.Int64
	confirmed, declined, soldOut, cancelled atomic.Int64
}

func newStorm(t *testing.T, redisArgs ...string) *storm {
	t.Helper()
	s := &storm{redis: testserver.Redis(t, redisArgs...), mariadb: testserver.MariaDB(t), methods: []string{"tok_ok"}}
	s.shopFront = open(t, func(cfg *stack.Config) { cfg.Redis, cfg.MySQL = s.redis.Addr(), s.mariadb.DSN })
	s.sell(t, "drop", stormUnits)
	return s
}

// rage lets the shoppers in while trouble is made, and waits until every one of them knows how his order ended
// and nothing is in flight. The promises hold then.
func (s *storm) rage(t *testing.T, trouble func(ctx context.Context) error) {
	t.Helper()
	temporal := s.temporal(t)
	shoppers, ctx := errgroup.WithContext(t.Context())
	shoppers.SetLimit(stormAtOnce)
	for i := range stormShoppers {
		customer, key := fmt.Sprintf("c-%d", i), fmt.Sprintf("k-%d", i)
		cancels, method := s.cancels > 0 && i%s.cancels == 0, s.methods[i%len(s.methods)]
		if cancels {
			method = "tok_slow"
		}
		waits, served := context.WithCancel(ctx)
		shoppers.Go(func() error {
			defer served()
			answer, err := s.PlaceUntilDefinite(ctx, key, shop.Buy(customer, method, "drop", 1))
			if err != nil {
				return err
			}
			return s.count(answer)
		})
		if cancels {
			shoppers.Go(func() error { return cancelSoon(waits, temporal, order.NewID(customer, key)) })
		}
	}
	troubled, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- trouble(troubled) }()
	err := shoppers.Wait()
	stop()
	if troubleErr := <-done; troubleErr != nil {
		t.Errorf("the trouble could not be made: %v", troubleErr)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.quiet(t)
	s.left(t, "drop", stormUnits-s.confirmed.Load())
	t.Logf("%d confirmed, %d declined, %d sold out, %d cancelled", s.confirmed.Load(), s.declined.Load(), s.soldOut.Load(), s.cancelled.Load())
}

func (s *storm) count(answer shop.Answer) error {
	s.answered.Add(1)
	switch {
	case answer.Status == http.StatusCreated:
		s.confirmed.Add(1)
	case answer.Status == http.StatusPaymentRequired:
		s.declined.Add(1)
	case answer.Status == http.StatusConflict && answer.Problem.Slug() == "sold-out":
		s.soldOut.Add(1)
	case answer.Status == http.StatusConflict && answer.Problem.Slug() == "order-closed":
		s.cancelled.Add(1)
	default:
		return fmt.Errorf("answered %d %+v", answer.Status, answer.Problem)
	}
	return nil
}

// cancelSoon asks Temporal to cancel an order, as the Web UI does, as soon as it is under way. waits ends when its shopper has
// his answer: one who was turned away has no workflow.
func cancelSoon(waits context.Context, temporal client.Client, id order.ID) error {
	ctx := context.WithoutCancel(waits)
	for waits.Err() == nil {
		err := temporal.CancelWorkflow(ctx, workflows.WorkflowID(id), "")
		if !errors.As(err, new(*serviceerror.NotFound)) {
			return err
		}
		run, err := temporal.DescribeWorkflowExecution(ctx, workflows.WorkflowID(id), "")
		if err == nil && run.GetWorkflowExecutionInfo().GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return nil // it was faster
		}
		pause(waits, 20*time.Millisecond)
	}
	return nil
}

// wantNoReversal checks that nobody was charged for nothing, not even for a moment.
func (s *storm) wantNoReversal(t *testing.T) {
	t.Helper()
	entries, err := s.Ledger(t.Context(), s.GatewayURL())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Kind != "charge" {
			t.Errorf("the charge of %s was reversed", e.Reference)
		}
	}
}

func (s *storm) wantAllSold(t *testing.T) {
	t.Helper()
	if s.confirmed.Load() != stormUnits || s.soldOut.Load() != stormShoppers-stormUnits {
		t.Errorf("%d confirmed and %d sold out, want %d and %d",
			s.confirmed.Load(), s.soldOut.Load(), stormUnits, stormShoppers-stormUnits)
	}
	s.wantNoReversal(t)
}

// flushing runs FLUSHALL every second, and says if it never could.
func (s *storm) flushing(ctx context.Context) error {
	if times := wipe(ctx, s.redis.Addr(), time.Second); times == 0 {
		return errors.New("Redis was never wiped")
	}
	return nil
}

func TestRedisIsWipedEverySecondOfASale(t *testing.T) {
	t.Parallel()
	s := newStorm(t)
	s.rage(t, s.flushing)
	s.wantAllSold(t)
}

func TestRedisIsWipedWhileOrdersAreDeclinedAndCancelled(t *testing.T) {
	t.Parallel()
	s := newStorm(t)
	s.methods = []string{"tok_ok", "tok_ok", "tok_declined", "tok_lost", "tok_error"}
	s.cancels = 20
	s.rage(t, s.flushing)
	if s.confirmed.Load() == 0 || s.declined.Load() == 0 || s.cancelled.Load() == 0 {
		t.Error("not every kind of end was reached: the test shows too little")
	}
}

func TestRedisIsKilledFiveTimesInASale(t *testing.T) {
	t.Parallel()
	s := newStorm(t)
	s.rage(t, func(ctx context.Context) error {
		const kills = 5
		for kill := range int64(kills) {
			s.waitForAnswers(ctx, (kill+1)*stormShoppers/(kills+2))
			s.redis.Kill()
			s.waitForAnswers(ctx, s.answered.Load()+20) // the sale goes on without it
			if err := s.redis.Restart(context.WithoutCancel(ctx)); err != nil {
				return err
			}
		}
		return nil
	})
	s.wantAllSold(t)
}

func TestMariaDBIsKilledInASale(t *testing.T) {
	t.Parallel()
	s := newStorm(t)
	s.rage(t, func(ctx context.Context) error {
		s.waitForAnswers(ctx, stormShoppers/4)
		s.mariadb.Kill()
		return s.mariadb.Restart(context.WithoutCancel(ctx))
	})
	s.wantAllSold(t)
}

// waitForAnswers waits until so many shoppers have their answers, or all.
func (s *storm) waitForAnswers(ctx context.Context, n int64) {
	for s.answered.Load() < n && ctx.Err() == nil {
		pause(ctx, 10*time.Millisecond)
	}
}

// Redis is too small for what is asked of it, and evicts counts and reservations in the middle of the sale.
func TestFiftyThousandSKUsCrowdASaleOutOfRedis(t *testing.T) {
	t.Parallel()
	const skus = 50_000
	s := newStorm(t, "--maxmemory", "16mb", "--maxmemory-policy", "allkeys-lru")
	s.stockMany(t, skus)
	s.rage(t, func(ctx context.Context) error { return s.buyMany(context.WithoutCancel(ctx), skus) })
	s.wantAllSold(t)
	rdb := redis.NewClient(&redis.Options{Addr: s.redis.Addr()})
	defer func() { _ = rdb.Close() }()
	evicted := 0
	for line := range strings.Lines(rdb.Info(t.Context(), "stats").Val()) {
		_, _ = fmt.Sscanf(line, "evicted_keys:%d", &evicted)
	}
	t.Logf("Redis evicted %d keys", evicted)
	if evicted < 1000 {
		t.Errorf("Redis evicted %d keys: the test shows too little", evicted)
	}
}

func coldSKU(i int) string { return fmt.Sprintf("cold-%05d", i) }

// stockMany puts two units each of many SKUs up for sale, in the way of an import.
func (s *storm) stockMany(t *testing.T, skus int) {
	t.Helper()
	db, err := sql.Open("mysql", s.mariadb.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const rows = 1000
	for from := 0; from < skus; from += rows {
		var stock, moves []string
		var stockArgs, moveArgs []any
		for i := range rows {
			stock, moves = append(stock, "(?, 2, 0, 1, NOW(6))"), append(moves, "(?, 'receipt', 'import', 2, '', NOW(6))")
			stockArgs, moveArgs = append(stockArgs, coldSKU(from+i)), append(moveArgs, coldSKU(from+i))
		}
		for statement, args := range map[string][]any{
			"INSERT INTO stock (sku, on_hand, reserved, version, created_at) VALUES " + strings.Join(stock, ", "):                  stockArgs,
			"INSERT INTO stock_movements (sku, kind, reference, quantity, reason, created_at) VALUES " + strings.Join(moves, ", "): moveArgs,
		} {
			if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// buyMany buys one unit of each of them, in orders as long as they may be.
func (s *storm) buyMany(ctx context.Context, skus int) error {
	orders, ctx := errgroup.WithContext(ctx)
	orders.SetLimit(8)
	for from := 0; from < skus; from += order.MaxLines {
		orders.Go(func() error {
			r := shop.Buy("collector", "tok_ok", "", 1)
			r.Lines = nil
			for i := range order.MaxLines {
				r.Lines = append(r.Lines, order.Line{SKU: coldSKU(from + i), Quantity: 1, UnitPrice: 100})
			}
			answer, err := s.PlaceUntilDefinite(ctx, fmt.Sprintf("cold-%d", from), r)
			if err == nil && answer.Status != http.StatusCreated {
				err = fmt.Errorf("answered %d %+v", answer.Status, answer.Problem)
			}
			return err
		})
	}
	return orders.Wait()
}
