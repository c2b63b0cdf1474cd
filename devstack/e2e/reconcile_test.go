package e2e_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/order"
	"holdfast/workflows"
)

// manySKUs is how many SKUs TestManySKUsAreReconciledInAShortHistory has, unless the environment says otherwise:
// it takes a million as well, in some minutes.
const (
	manySKUs         = 100_000
	manySKUsVariable = "HOLDFAST_E2E_SKUS"
)

// reconciling opens a stack that reconciles only when it is asked to, and then leaves no order alone for long.
func reconciling(t *testing.T, settings ...string) shopFront {
	t.Helper()
	return open(t, func(cfg *stack.Config) {
		cfg.Settings = map[string]string{"HOLDFAST_RECONCILE_EVERY": "0", "HOLDFAST_RECONCILE_GRACE": "100ms"}
		for _, setting := range settings {
			name, value, _ := strings.Cut(setting, "=")
			cfg.Settings[name] = value
		}
	})
}

// reconcile runs `starter reconcile`, as an operator does.
func (f shopFront) reconcile(t *testing.T, args ...string) order.Reconciliation {
	t.Helper()
	found, err := f.tryReconcile(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (f shopFront) tryReconcile(ctx context.Context, args ...string) (found order.Reconciliation, err error) {
	out, said, code := f.starter(ctx, append([]string{"reconcile", "--output", "json"}, args...)...)
	if code != 0 {
		return found, fmt.Errorf("exit code %d: %s", code, said)
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return found, err
	}
	if found.Failures > 0 || len(found.Notes) > 0 {
		return found, fmt.Errorf("failures %q, notes %q", found.FailureWords, found.Notes)
	}
	return found, nil
}

// TestOrdersWhoseWorkflowWasTerminatedReachTheirEnd presses Terminate on 50 of the orders of a sale that are on
// record, at random moments.
func TestOrdersWhoseWorkflowWasTerminatedReachTheirEnd(t *testing.T) {
	t.Parallel()
	f := reconciling(t)
	f.sell(t, "mug", 1000)
	temporal := f.temporal(t)
	const orders, terminations = 200, 50
	methods := []string{"tok_ok", "tok_slow", "tok_declined", "tok_slow", "tok_error"}
	left, enough := make(chan struct{}, terminations), make(chan struct{})
	for range terminations {
		left <- struct{}{}
	}
	var terminated atomic.Int64
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	group, ctx := errgroup.WithContext(deadline)
	for i := range orders {
		customer, key := fmt.Sprintf("c-%d", i), fmt.Sprintf("k-%d", i)
		group.Go(func() error {
			if err := f.startAlone(ctx, temporal, key, shop.Buy(customer, methods[i%len(methods)], "mug", 1)); err != nil {
				return err
			}
			pause(ctx, rand.N(300*time.Millisecond))
			select {
			case <-left:
			case <-enough:
				return nil
			}
			done, err := terminateSoon(ctx, temporal, order.NewID(customer, key))
			switch {
			case !done:
				left <- struct{}{} // for another order: this one was faster
			case terminated.Add(1) == terminations:
				close(enough)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := terminated.Load(); n != terminations {
		t.Fatalf("only %d workflows were terminated", n)
	}
	pause(t.Context(), 200*time.Millisecond) // beyond the grace

	dry := f.reconcile(t, "--dry-run")
	if !dry.DryRun || dry.Uncarried == 0 || dry.Redriven != 0 || dry.Healed != 0 {
		t.Errorf("the dry run found %+v", dry)
	}
	for _, id := range dry.UncarriedIDs {
		if runs(t, temporal, id) {
			t.Errorf("the dry run started %s", id)
		}
	}
	found := f.reconcile(t)
	t.Logf("%d unsettled, %d carried by nobody, %d re-driven, %d units withheld", found.Unsettled, found.Uncarried, found.Redriven, found.Under.Units)
	if found.Redriven != found.Uncarried || found.Redriven < dry.Uncarried {
		t.Errorf("a dry run found %d orders that nobody carries, and %d were re-driven", dry.Uncarried, found.Redriven)
	}
	f.quiet(t)
	if again := f.reconcile(t); again.Unsettled+again.Over.SKUs+again.Under.SKUs != 0 {
		t.Errorf("and then it found %+v", again)
	}
	f.wantEnds(t, orders, methods)
}

// startAlone starts the order's own workflow, past admission, as an operator does, until the order is on record, and never after.
func (f shopFront) startAlone(ctx context.Context, temporal client.Client, key string, r shop.Request) error {
	o, err := order.New(r.CustomerID, key, order.Currency(r.Currency), r.PaymentMethod, r.Lines)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if _, err := temporal.ExecuteWorkflow(ctx, workflows.PlaceOrderOptions(o, "holdfast"), workflows.PlaceOrderName, o); err != nil {
			return err
		}
		for range 20 {
			if _, err := f.Get(ctx, o.ID); err == nil {
				return nil
			}
			pause(ctx, 50*time.Millisecond)
		}
	}
	return ctx.Err()
}

// placeOnce repeats a request until the order is on record, and never after.
func (f shopFront) placeOnce(ctx context.Context, key string, r shop.Request) error {
	for ctx.Err() == nil {
		answer, err := f.Place(ctx, key, r, 0)
		if err != nil || answer.Status != http.StatusServiceUnavailable {
			return err
		}
		pause(ctx, time.Second)
	}
	return ctx.Err()
}

// wantEnds checks how each order ended, and that the units agree.
func (f shopFront) wantEnds(t *testing.T, orders int, methods []string) {
	t.Helper()
	ends := map[order.Status]int{}
	for i := range orders {
		id := order.NewID(fmt.Sprintf("c-%d", i), fmt.Sprintf("k-%d", i))
		o, err := f.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		want := order.Confirmed
		if methods[i%len(methods)] == "tok_declined" {
			want = order.Rejected
		}
		if o.Status != want || !o.Settled {
			t.Errorf("%s, paid by %s, is %s, settled %t", id, methods[i%len(methods)], o.Status, o.Settled)
		}
		ends[o.Status]++
	}
	t.Logf("ends: %v", ends)
	f.left(t, "mug", int64(1000-ends[order.Confirmed]))
}

// terminateSoon terminates an order's workflow once it runs, and says whether it did before it ended.
func terminateSoon(ctx context.Context, temporal client.Client, id order.ID) (bool, error) {
	for ctx.Err() == nil {
		err := temporal.TerminateWorkflow(ctx, workflows.WorkflowID(id), "", "pressed by mistake")
		if err == nil {
			return true, nil
		}
		if !errors.As(err, new(*serviceerror.NotFound)) {
			return false, err
		}
		if _, err := temporal.DescribeWorkflowExecution(ctx, workflows.WorkflowID(id), ""); err == nil {
			return false, nil
		}
		pause(ctx, time.Millisecond)
	}
	return false, ctx.Err()
}

func runs(t *testing.T, temporal client.Client, id order.ID) bool {
	t.Helper()
	run, err := temporal.DescribeWorkflowExecution(t.Context(), workflows.WorkflowID(id), "")
	if err != nil {
		t.Fatal(err)
	}
	return run.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING
}

func TestDriftInRedisIsReportedAndHealed(t *testing.T) {
	t.Parallel()
	f := reconciling(t)
	rdb := redis.NewClient(&redis.Options{Addr: f.RedisAddr()})
	t.Cleanup(func() { _ = rdb.Close() })
	for sku, by := range map[string]int64{"over": 5, "under": -3, "right": 0} {
		f.sell(t, sku, 10)
		f.buy(t, sku, shop.Buy("c-1", "tok_ok", sku, 1))
		if err := rdb.HIncrBy(t.Context(), "s:{"+sku+"}", "units", by).Err(); err != nil {
			t.Fatal(err)
		}
	}
	check := func(found order.Reconciliation, healed int64) {
		t.Helper()
		if found.SKUs != 3 || found.Compared != 3 || found.Healed != healed || len(found.Drifted) != 2 ||
			found.Over != (order.Drift{SKUs: 1, Units: 5}) || found.Under != (order.Drift{SKUs: 1, Units: 3}) {
			t.Errorf("found %+v", found)
		}
	}
	check(f.reconcile(t, "--dry-run"), 0)
	if n := rdb.Exists(t.Context(), "s:{over}", "s:{under}", "s:{right}").Val(); n != 3 {
		t.Errorf("after the dry run %d counts are left", n)
	}
	check(f.reconcile(t), 2)
	if n := rdb.Exists(t.Context(), "s:{over}", "s:{under}").Val(); n != 0 {
		t.Errorf("%d counts that drifted are left", n)
	}
	for _, sku := range []string{"over", "under", "right"} {
		if answer := f.buy(t, sku+"-rest", shop.Buy("c-2", "tok_ok", sku, 9)); answer.Status != http.StatusCreated {
			t.Errorf("the rest of %s: answered %d %+v", sku, answer.Status, answer.Problem)
		}
	}
	f.quiet(t)
	for _, series := range []string{
		`holdfast_stock_drift_units{direction="over"} 5`, `holdfast_stock_drifted_skus{direction="under"} 1`, "holdfast_stock_counts_healed_total 2",
	} {
		if text := f.metrics(t); !strings.Contains(text, series+"\n") {
			t.Errorf("the metrics do not say %s", series)
		}
	}
}

func (f shopFront) metrics(t *testing.T) string {
	t.Helper()
	return scrape(t, f.MetricsURL())
}

// TestAReconciliationInTheMiddleOfASaleDisturbsNothing: it runs again and again while shoppers crowd in.
func TestAReconciliationInTheMiddleOfASaleDisturbsNothing(t *testing.T) {
	t.Parallel()
	f := reconciling(t)
	f.sell(t, "print", 100)
	var over atomic.Bool
	ended := make(chan error, 1)
	go func() {
		for !over.Load() {
			if _, err := f.tryReconcile(t.Context()); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	confirmed, soldOut := f.rush(t, 300, "print")
	over.Store(true)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if confirmed != 100 || soldOut != 200 {
		t.Errorf("%d confirmed and %d sold out, want 100 and 200", confirmed, soldOut)
	}
	f.quiet(t)
	f.left(t, "print", 0)
}

// TestTheScheduleFollowsTheConfiguration: the first worker's schedule re-drives an order by itself, two more that
// start at once change it, and a last one takes it away.
func TestTheScheduleFollowsTheConfiguration(t *testing.T) {
	t.Parallel()
	f := reconciling(t, "HOLDFAST_RECONCILE_EVERY=10s")
	temporal := f.temporal(t)
	wantSchedule(t, temporal, "holdfast", 10*time.Second)
	f.sell(t, "mug", 10)
	pending := f.leavePending(t, shop.Buy("c-1", "tok_slow", "mug", 4))
	if done, err := terminateSoon(t.Context(), temporal, pending.ID()); err != nil || !done {
		t.Fatalf("terminated %t, %v", done, err)
	}
	f.quiet(t) // within a minute, with nobody's help
	f.left(t, "mug", 6)

	more := func(settings ...string) {
		t.Helper()
		adapted := func(cfg *stack.Config) { // a shop of its own on the same Temporal
			cfg.TemporalAddress = f.TemporalAddr()
			cfg.Settings = map[string]string{"HOLDFAST_TASK_QUEUE": "other"}
			for _, setting := range settings {
				name, value, _ := strings.Cut(setting, "=")
				cfg.Settings[name] = value
			}
		}
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() { open(t, adapted) })
		}
		group.Wait()
	}
	handle := temporal.ScheduleClient().GetHandle(t.Context(), workflows.ReconcileID)
	if err := handle.Pause(t.Context(), client.SchedulePauseOptions{Note: "by a person"}); err != nil {
		t.Fatal(err)
	}
	more("HOLDFAST_RECONCILE_EVERY=1h")
	wantSchedule(t, temporal, "other", time.Hour)
	if schedule, err := handle.Describe(t.Context()); err != nil || !schedule.Schedule.State.Paused {
		t.Errorf("a person's pause was undone (%v)", err)
	}
	more("HOLDFAST_RECONCILE_EVERY=0")
	wantSchedule(t, temporal, "", 0)
}

// wantSchedule waits until the schedule is as it should be; an empty queue means that there is none.
func wantSchedule(t *testing.T, temporal client.Client, queue string, every time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		schedule, err := temporal.ScheduleClient().GetHandle(ctx, workflows.ReconcileID).Describe(ctx)
		if queue == "" && errors.As(err, new(*serviceerror.NotFound)) {
			return
		}
		if err == nil {
			action, ok := schedule.Schedule.Action.(*client.ScheduleWorkflowAction)
			intervals, policy := schedule.Schedule.Spec.Intervals, schedule.Schedule.Policy
			if ok && action.TaskQueue == queue && action.Workflow == workflows.ReconcileStockName && len(intervals) == 1 &&
				intervals[0].Every == every && policy.Overlap == enums.SCHEDULE_OVERLAP_POLICY_SKIP {
				return
			}
		}
		if ctx.Err() != nil {
			t.Fatalf("the schedule is %+v, %v", schedule, err)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// TestManySKUsAreReconciledInAShortHistory has a tenth of the SKUs in Redis, of which every hundredth has drifted,
// and a fiftieth as many unsettled orders that nobody carries.
func TestManySKUsAreReconciledInAShortHistory(t *testing.T) {
	t.Parallel()
	skus := manySKUs
	if text := os.Getenv(manySKUsVariable); text != "" {
		var err error
		if skus, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	f := reconciling(t)
	f.fill(t, skus)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	began := time.Now()
	found, err := f.tryReconcile(ctx, "--dry-run")
	if err != nil {
		t.Fatal(err)
	}
	n := events(t, f.temporal(t), workflows.ReconcileDryRunID)
	t.Logf("%d SKUs, %d counts, %d drifted, %d unsettled orders: %s, %d history events",
		found.SKUs, found.Compared, found.Over.SKUs, found.Unsettled, time.Since(began).Round(time.Millisecond), n)
	if found.SKUs != int64(skus) || found.Compared != int64(skus/10) || found.Over.SKUs != int64(skus/1000) || found.Uncarried != int64(skus/50) {
		t.Errorf("found %+v", found)
	}
	// Six events for each chunk of 50,000 SKUs or 10,000 orders, and four for the run.
	if most := 6*(skus/50_000+skus/50/10_000+3) + 4; n > most {
		t.Errorf("%d history events, want at most %d", n, most)
	}
}

// sqlite opens the embedded order database behind the program's back.
func (f shopFront) sqlite(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+f.Env()["HOLDFAST_SQLITE_PATH"]+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// fill writes SKUs and orders behind the program's back, and counts into Redis.
func (f shopFront) fill(t *testing.T, skus int) {
	t.Helper()
	db := f.sqlite(t)
	const numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) "
	_, err := db.ExecContext(t.Context(), numbers+"INSERT INTO stock (sku, on_hand, reserved, created_at)"+
		" SELECT printf('sku-%07d', i), 10, 0, '2020-01-01 12:00:00+00:00' FROM n", skus)
	if err != nil {
		t.Fatal(err)
	}
	f.leaveUncarried(t, db, skus/50)
	rdb := redis.NewClient(&redis.Options{Addr: f.RedisAddr()})
	defer func() { _ = rdb.Close() }()
	pipe := rdb.Pipeline()
	for i := 0; i < skus; i += 10 {
		units := 10
		if i%1000 == 0 {
			units = 11
		}
		pipe.HSet(t.Context(), fmt.Sprintf("s:{sku-%07d}", i), "epoch", 1, "generation", "g", "version", 1, "units", units)
		if pipe.Len() == 1000 || i+10 >= skus {
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// leaveUncarried records orders for which no workflow was ever started.
func (f shopFront) leaveUncarried(t *testing.T, db *sql.DB, orders int) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	for i := range orders {
		o, err := order.New("c-1", fmt.Sprintf("k-%d", i), "EUR", "tok_ok", []order.Line{{SKU: "sku-0000000", Quantity: 1, UnitPrice: 5}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = tx.ExecContext(t.Context(), "INSERT INTO orders (id, fingerprint, customer_id, currency, payment_method, total, status,"+
			" held, workflow_id, created_at, updated_at) VALUES (?, ?, 'c-1', 'EUR', 'tok_ok', 5, 'REJECTED', 0, 'w',"+
			" '2020-01-01 12:00:00+00:00', '2020-01-01 12:00:00+00:00')", o.ID, o.Fingerprint())
		if err == nil {
			_, err = tx.ExecContext(t.Context(), "INSERT INTO order_lines (order_id, sku, quantity, unit_price) VALUES (?, 'sku-0000000', 1, 5)", o.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}
