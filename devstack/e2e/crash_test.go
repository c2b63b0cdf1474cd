package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/child"
	"holdfast/internal/testserver"
	"holdfast/order"
)

// pauseBetweenWipes lets a few dozen orders through in between.
const pauseBetweenWipes = 50 * time.Millisecond

// TestAStackThatIsStoppedInTheMiddleOfAnOrderFinishesIt restarts on the same data, with an empty Redis.
func TestAStackThatIsStoppedInTheMiddleOfAnOrderFinishesIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, func(cfg *stack.Config) { cfg.Data = dir })
	first.sell(t, "mug", 10)
	request := shop.Buy("c-1", "tok_slow", "mug", 3)
	pending := first.leavePending(t, request)
	if err := first.Stack.Stop(); err != nil {
		t.Fatal(err)
	}
	second := open(t, func(cfg *stack.Config) { cfg.Data = dir })
	if answer := second.buy(t, "k", request); answer.Status != http.StatusCreated || answer.ID() != pending.ID() {
		t.Errorf("answered %d %+v", answer.Status, answer.Problem)
	}
	second.quiet(t)
	second.left(t, "mug", 7)
	second.wantCharges(t, pending.ID(), 1)
	if answer := second.buy(t, "k2", shop.Buy("c-2", "tok_ok", "mug", 7)); answer.Status != http.StatusCreated {
		t.Errorf("stock was not loaded again: %d %+v", answer.Status, answer.Problem)
	}
}

func TestAPortInUseNamesThePortAndTheFlag(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", free)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	addr := taken.Addr().String()
	for flag, adapt := range map[string]func(*stack.Config){
		"--api":      func(c *stack.Config) { c.API = addr },
		"--temporal": func(c *stack.Config) { c.Temporal = addr },
		"--ui":       func(c *stack.Config) { c.UI = addr },
		"--gateway":  func(c *stack.Config) { c.Gateway = addr },
	} {
		cfg := stack.Config{Data: filepath.Join(t.TempDir(), "data"), API: free, Temporal: free, UI: free, Gateway: free}
		adapt(&cfg)
		_, err := stack.Start(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s in use: %v", flag, err)
		}
		if _, err := os.Stat(cfg.Data); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s in use: something was started before that was noticed", flag)
		}
	}
}

// TestAKilledStackLosesNothing kills the whole stack with kill -9 at random moments of a sale, and
// starts it again on its data. Every shopper repeats until he knows how his order ended.
func TestAKilledStackLosesNothing(t *testing.T) {
	t.Parallel()
	const shoppers, units, kills = 150, 100, 3
	v := newVictim(t, "", "")
	v.start(t)
	f := shop.New("http://" + v.api)
	if err := f.SetStock(t.Context(), "drop", units); err != nil {
		t.Fatal(err)
	}
	var confirmed, declined, soldOut atomic.Int64
	served := make(chan struct{}, shoppers)
	group, ctx := errgroup.WithContext(t.Context())
	for i := range shoppers {
		method := []string{"tok_ok", "tok_ok", "tok_lost", "tok_declined", "tok_error"}[i%5]
		group.Go(func() error {
			answer, err := f.PlaceUntilDefinite(ctx, fmt.Sprintf("k-%d", i), shop.Buy(fmt.Sprintf("c-%d", i), method, "drop", 1))
			if err != nil {
				return err
			}
			served <- struct{}{}
			switch answer.Status {
			case http.StatusCreated:
				confirmed.Add(1)
			case http.StatusPaymentRequired:
				declined.Add(1)
			case http.StatusConflict:
				soldOut.Add(1)
			default:
				return fmt.Errorf("answered %d %+v", answer.Status, answer.Problem)
			}
			return nil
		})
	}
	for range kills { // each time some have been served and most wait
		for range 10 + rand.IntN(20) {
			select {
			case <-served:
			case <-ctx.Done(): // Wait says why
			}
		}
		v.kill()
		v.start(t)
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	v.kill() // also with nothing in flight
	v.start(t)
	front := shopFront{nil, f}
	front.quiet(t)
	front.left(t, "drop", units-confirmed.Load())
	if confirmed.Load()+declined.Load()+soldOut.Load() != shoppers || confirmed.Load() > units {
		t.Errorf("%d confirmed, %d declined, %d sold out of %d for %d units", confirmed.Load(), declined.Load(), soldOut.Load(), shoppers, units)
	}
}

// TestTheProgramDiesAfterTheRedisDeduction stops the order database, so that an order gets as far as its reservation,
// and kills everything that knows of it.
func TestTheProgramDiesAfterTheRedisDeduction(t *testing.T) {
	t.Parallel()
	redisServer, database := testserver.Redis(t), testserver.MariaDB(t)
	v := newVictim(t, redisServer.Addr(), database.DSN)
	v.start(t)
	f := shop.New("http://" + v.api)
	if err := f.SetStock(t.Context(), "mug", 1); err != nil {
		t.Fatal(err)
	}
	request := shop.Buy("c-1", "tok_ok", "mug", 1)
	warm := shop.Buy("c-1", "tok_declined", "mug", 1) // the SKU is known and its count loaded
	if answer, err := f.PlaceUntilDefinite(t.Context(), "warm", warm); err != nil || answer.Status != http.StatusPaymentRequired {
		t.Fatalf("answered %d %+v, %v", answer.Status, answer.Problem, err)
	}
	if err := database.Pause(); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = f.Place(t.Context(), "k", request, 0) }() // nobody will answer
	rdb := redis.NewClient(&redis.Options{Addr: redisServer.Addr()})
	defer func() { _ = rdb.Close() }()
	units := func() string { return rdb.HGet(t.Context(), "s:{mug}", "units").Val() }
	deadline, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for units() != "0" {
		if deadline.Err() != nil {
			t.Fatalf("the unit was never deducted: %q are left", units())
		}
		pause(deadline, time.Millisecond)
	}
	v.kill()
	if err := database.Resume(); err != nil {
		t.Fatal(err)
	}
	v.start(t)
	answer, err := f.PlaceUntilDefinite(t.Context(), "k", request)
	if err != nil || answer.Status != http.StatusCreated {
		t.Errorf("answered %d %+v, %v", answer.Status, answer.Problem, err)
	}
	front := shopFront{nil, f}
	front.quiet(t)
	front.left(t, "mug", 0)
}

// victim is a stack in a process of its own.
type victim struct {
	proc *child.Process
	dir  string
	api  string
	args []string
}

// newVictim makes one on embedded servers, or on those that are given: Redis by its address, MySQL by its DSN.
func newVictim(t *testing.T, redisAddr, dsn string) *victim {
	t.Helper()
	v := &victim{dir: t.TempDir()}
	v.args = append(v.args, filepath.Join(v.dir, "data"))
	for range 4 {
		addr, err := child.FreeAddr(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v.args = append(v.args, addr)
	}
	v.args = append(v.args, redisAddr, dsn)
	v.api = v.args[1]
	t.Cleanup(v.kill)
	return v
}

// start starts the stack and waits until its API is ready.
func (v *victim) start(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(v.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(context.Background(), self) // it is killed, or dies with this process
	cmd.Env = append(os.Environ(), childVariable+"="+strings.Join(v.args, " "))
	cmd.Stdout, cmd.Stderr = log, log
	if v.proc, err = child.Start(cmd); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !v.ready(ctx) {
		select {
		case <-ctx.Done():
			t.Fatal("the stack is not ready after a minute")
		case <-v.proc.Done():
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("the stack ended: %v\n%s", v.proc.Err(), text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (v *victim) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.api+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func (v *victim) kill() {
	if v.proc != nil {
		v.proc.Kill()
	}
}

// TestStoppingAnswersWhoeverWaits: a stop must neither wait for the waits nor cut them off.
func TestStoppingAnswersWhoeverWaits(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.sell(t, "mug", 1)
	type result struct {
		shop.Answer
		err error
	}
	answered := make(chan result, 1)
	go func() {
		answer, err := f.Place(t.Context(), "k", shop.Buy("c-1", "tok_slow", "mug", 1), 30*time.Second)
		answered <- result{answer, err}
	}()
	for id := order.NewID("c-1", "k"); t.Context().Err() == nil; pause(t.Context(), 10*time.Millisecond) {
		if pending, err := f.Get(t.Context(), id); err == nil && pending.Status == order.Pending {
			break
		}
	}
	if err := f.Stack.Stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	if got := <-answered; got.err != nil || got.Status != http.StatusAccepted {
		t.Errorf("answered %d %+v, %v", got.Status, got.Problem, got.err)
	}
}
