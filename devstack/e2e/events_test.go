package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	publishing "holdfast/events"
	"holdfast/internal/child"
	"holdfast/internal/testserver"
	"holdfast/order"
)

const eventsTopic = "holdfast.events"

// kafka is a broker that can be stopped, and goes on with what it had.
type kafka struct {
	*kfake.Cluster

	addr, dir string
}

func openKafka(t *testing.T) *kafka {
	t.Helper()
	addr, err := child.FreeAddr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := &kafka{addr: addr, dir: t.TempDir()}
	k.start(t)
	t.Cleanup(func() { k.Close() })
	return k
}

func (k *kafka) start(t *testing.T) {
	t.Helper()
	_, port, err := net.SplitHostPort(k.addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	k.Cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(number), kfake.SeedTopics(3, eventsTopic), kfake.DataDir(k.dir))
	if err != nil {
		t.Fatal(err)
	}
}

// consumer is somebody who reads all events from the start, leaves out those that he has seen, and keeps what he knows.
type consumer struct {
	mu       sync.Mutex
	seen     map[string]bool
	repeats  int
	orders   map[order.ID][]order.Status // each order's, in the order in which he was told
	received map[string]int64            // units by SKU
}

func listen(t *testing.T, k *kafka) *consumer {
	t.Helper()
	c := &consumer{seen: make(map[string]bool), orders: make(map[order.ID][]order.Status), received: make(map[string]int64)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil { // the broker may be away
			_ = publishing.Tail(ctx, []string{k.addr}, eventsTopic, true, c.hear)
			pause(ctx, 50*time.Millisecond)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return c
}

func (c *consumer) hear(value []byte) error {
	var e struct {
		ID   string          `json:"id"`
		Type order.EventType `json:"type"`
		Data struct {
			OrderID  order.ID     `json:"order_id"`
			Status   order.Status `json:"status"`
			SKU      string       `json:"sku"`
			Quantity int64        `json:"quantity"`
		} `json:"data"`
	}
	if err := json.Unmarshal(value, &e); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.seen[e.ID]:
		c.repeats++
	case e.Type == order.EventStockReceived:
		c.received[e.Data.SKU] += e.Data.Quantity
	default:
		c.orders[e.Data.OrderID] = append(c.orders[e.Data.OrderID], e.Data.Status)
	}
	c.seen[e.ID] = true
	return nil
}

// wantKnows waits until the consumer knows of the orders what the test says, and nothing else.
func (c *consumer) wantKnows(t *testing.T, want map[order.ID][]order.Status) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ; ; pause(ctx, 50*time.Millisecond) {
		wrong := c.unlike(want)
		if len(wrong) == 0 {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("of %d orders the consumer knows something else, such as %s", len(wrong), wrong[0])
		}
	}
}

func (c *consumer) unlike(want map[order.ID][]order.Status) (wrong []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, statuses := range want {
		if !slices.Equal(c.orders[id], statuses) {
			wrong = append(wrong, fmt.Sprintf("%s: %v and not %v", id, c.orders[id], statuses))
		}
	}
	for id, statuses := range c.orders {
		if want[id] == nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v and nothing", id, statuses))
		}
	}
	return wrong
}

// wantReceived waits until the consumer has heard of so many units.
func (c *consumer) wantReceived(t *testing.T, sku string, want int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	for ; ; pause(ctx, 20*time.Millisecond) {
		c.mu.Lock()
		got := c.received[sku]
		c.mu.Unlock()
		if got == want {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the consumer has heard of %d units of %s, want %d", got, sku, want)
		}
	}
}

func withKafka(k *kafka, more map[string]string) func(*stack.Config) {
	return func(cfg *stack.Config) {
		cfg.Settings = map[string]string{"HOLDFAST_KAFKA_BROKERS": k.addr, "HOLDFAST_EVENTS_TOPIC": eventsTopic}
		maps.Copy(cfg.Settings, more)
	}
}

func TestOthersAreToldOfEachEnd(t *testing.T) {
	t.Parallel()
	k := openKafka(t)
	hears := listen(t, k)
	f := open(t, withKafka(k, nil))
	f.sell(t, "mug", 10)
	want := make(map[order.ID][]order.Status)
	buy := func(key, method string, statuses ...order.Status) order.ID {
		id := f.buy(t, key, shop.Buy("ada", method, "mug", 1)).ID()
		want[id] = statuses
		return id
	}
	handedOff := buy("k-1", "tok_ok", order.Confirmed, order.HandedOff)
	buy("k-2", "tok_declined", order.Rejected)
	cancelled := buy("k-3", "tok_ok", order.Confirmed, order.Cancelled)
	if answer, err := f.Cancel(t.Context(), cancelled, 5*time.Second); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("cancelled: %+v, %v", answer, err)
	}
	f.handOff(t)
	f.wantStatus(t, handedOff, order.HandedOff)
	buy("k-4", "tok_lost", order.Confirmed)
	if err := f.Receive(t.Context(), "mug", 7, "delivery-1"); err != nil {
		t.Fatal(err)
	}
	hears.wantKnows(t, want)
	f.quiet(t)
	hears.wantReceived(t, "mug", 7)

	// starter events tail shows them.
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	go func() {
		pause(ctx, 3*time.Second)
		cancel()
	}()
	text, said, code := f.starter(ctx, "events", "tail", "--from-start", "--brokers", k.addr)
	out.WriteString(text)
	if lines := bytes.Count(out.Bytes(), []byte("\n")); code != 0 || lines < 7 {
		t.Errorf("starter events tail exits %d after %d lines: %s%s", code, lines, text, said)
	}
}

// TestKafkaIsAwayForAWhile: orders are confirmed and answered all the same, what is owed waits on record, and is published when it is
// back. Workers are killed meanwhile.
func TestKafkaIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	const orders = 200
	k := openKafka(t)
	hears := listen(t, k)
	f := openFloor(t, withKafka(k, nil), func(cfg *stack.Config) { cfg.MySQL = testserver.MariaDBDatabase(t) })
	worker := f.hire(t)
	f.sell(t, "mug", orders)
	k.Close()
	ids := f.sellMugs(t, orders)
	want := make(map[order.ID][]order.Status)
	for i, id := range ids {
		want[id] = []order.Status{order.Confirmed}
		if o := f.wantStatus(t, id, order.Confirmed); o.Settled && i == 0 {
			t.Error("an order of which nobody knows is settled")
		}
	}
	for _, id := range ids[:5] {
		if answer, err := f.Cancel(t.Context(), id, 5*time.Second); err != nil || answer.Order.Status != order.Cancelled {
			t.Fatalf("cancelled: %+v, %v", answer, err)
		}
		want[id] = append(want[id], order.Cancelled)
	}
	worker.Kill()
	f.hire(t)
	k.start(t)
	f.quiet(t)
	hears.wantKnows(t, want)
}
