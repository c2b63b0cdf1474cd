package events_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.yaml.in/yaml/v3"

	"holdfast/activities"
	"holdfast/events"
	"holdfast/order"
)

var _ activities.Events = (*events.Publisher)(nil)

const topic = "holdfast.events"

func broker(t *testing.T) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

func publisher(t *testing.T, timeout time.Duration, brokers ...string) *events.Publisher {
	t.Helper()
	p, err := events.NewPublisher(events.Config{Brokers: brokers, Topic: topic, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func orderEvent(i int, status order.Status) order.Event {
	e := order.Notice{
		OrderID: order.NewID("ada", fmt.Sprint(i)), CustomerID: "ada", Status: status, Currency: "EUR", Total: 600,
		Lines: []order.EventLine{{SKU: "mug", Quantity: 2, UnitPrice: 300}},
	}
	if status.Closed() {
		e.Reason = order.ReasonRequested
	}
	return e.Event(time.Unix(1_800_000_000, 5000))
}

var receipt = order.ReceiptNotice{SKU: "mug", Quantity: -2, Reference: "r-1", Reason: "broken"}.Event(time.Unix(1_800_000_000, 0))

// everyEvent is one of each type.
func everyEvent() []order.Event {
	return []order.Event{
		orderEvent(1, order.Confirmed), orderEvent(1, order.HandedOff), orderEvent(2, order.Confirmed), orderEvent(2, order.Cancelled),
		orderEvent(3, order.Rejected), receipt,
	}
}

// told is what a consumer reads of an event.
type told struct {
	ID      string          `json:"id"`
	Type    order.EventType `json:"type"`
	Subject string          `json:"subject"`
}

// consume reads n events from the start of the topic.
func consume(t *testing.T, brokers []string, n int) (all []told, values [][]byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	enough := errors.New("enough")
	err := events.Tail(ctx, brokers, topic, true, func(value []byte) error {
		var e told
		if err := json.Unmarshal(value, &e); err != nil {
			return err
		}
		all, values = append(all, e), append(values, value)
		if len(all) == n {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("%v after %d of %d events", err, len(all), n)
	}
	return all, values
}

func TestPublishedEventsAreReadInTheirOrder(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	p := publisher(t, 10*time.Second, cluster.ListenAddrs()...)
	const orders = 50
	var batch []order.Event
	for i := range orders {
		batch = append(batch, orderEvent(i, order.Confirmed))
	}
	for i := range orders {
		batch = append(batch, orderEvent(i, order.HandedOff))
	}
	for _, e := range [][]order.Event{batch[:orders], batch[orders:], nil, {batch[0]}} { // the last is a repeat
		if err := p.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	all, _ := consume(t, cluster.ListenAddrs(), 2*orders+1)
	seen := make(map[string]bool)
	states := make(map[string][]order.EventType)
	for _, e := range all {
		if !seen[e.ID] {
			states[e.Subject] = append(states[e.Subject], e.Type)
		}
		seen[e.ID] = true
	}
	if len(states) != orders {
		t.Errorf("events of %d orders, want %d", len(states), orders)
	}
	for id, types := range states {
		if !slices.Equal(types, []order.EventType{order.EventConfirmed, order.EventHandedOff}) {
			t.Errorf("%s: %v", id, types)
		}
	}
}

// TestEventsAreWhatTheDocumentSays checks every type of event against the schema that docs/events.yaml has for it.
func TestEventsAreWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/events.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("events.json", document); err != nil {
		t.Fatal(err)
	}
	checked := make(map[order.EventType]bool)
	for _, e := range everyEvent() {
		schema, err := compiler.Compile("events.json#/components/messages/" + string(e.Type) + "/payload")
		if err != nil {
			t.Fatal(err)
		}
		record, err := events.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(record))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", record, err)
		}
		wrong, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(string(record), `"specversion"`, `"version"`, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(wrong) == nil {
			t.Errorf("the schema of %s takes anything", e.Type)
		}
		checked[e.Type] = true
	}
	for _, kind := range order.EventTypes() {
		if !checked[kind] {
			t.Errorf("no %s was checked", kind)
		}
	}
}

// TestAKafkaThatIsAwayIsNotWaitedForEachTime: the first calls fail after the time-out, later ones at once, until it is back.
func TestAKafkaThatIsAwayIsNotWaitedForEachTime(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // it takes connections and never answers
	p := publisher(t, 100*time.Millisecond, listener.Addr().String())
	class := func() order.Class {
		t.Helper()
		failure, ok := errors.AsType[*order.Failure](p.Publish(t.Context(), everyEvent()))
		if !ok {
			t.Fatal("it was published")
		}
		return failure.Class
	}
	for range 2 {
		if got := class(); got != order.Unknown {
			t.Errorf("unanswered, it is %s", got)
		}
	}
	if got := class(); got != order.Transient {
		t.Errorf("known to be away, it is %s", got)
	}
}

// TestABrokerThatHangsWithARequestHoldsNobody up beyond his own time or the time-out, and what it owes is published once it goes on.
func TestABrokerThatHangsWithARequestHoldsNobody(t *testing.T) {
	t.Parallel()
	const long = 20 * time.Second
	for name, test := range map[string]struct{ timeout, within time.Duration }{
		"the caller's time": {events.DefaultTimeout, time.Second},
		"the time-out":      {time.Second, long},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := broker(t)
			p := publisher(t, test.timeout, cluster.ListenAddrs()...)
			publish := func(within time.Duration) order.Class {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), within)
				defer cancel()
				answer := make(chan error, 1)
				go func() { answer <- p.Publish(ctx, everyEvent()) }()
				var err error
				select {
				case err = <-answer:
				case <-time.After(min(within, test.timeout) + 5*time.Second): // the client's own patience is ten
					t.Fatal("it takes longer than it may")
				}
				failure, _ := errors.AsType[*order.Failure](err)
				if failure == nil {
					return ""
				}
				return failure.Class
			}
			if got := publish(long); got != "" {
				t.Fatalf("all is well, and it is %q", got)
			}
			goOn := make(chan struct{})
			resume := sync.OnceFunc(func() { close(goOn) })
			t.Cleanup(resume)
			hangs := make(chan struct{}, 1)
			cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
				hangs <- struct{}{}
				<-goOn
				return nil, nil, false //nolint:nilnil // the broker goes on as if it had not been asked
			})
			for range 2 {
				if got := publish(test.within); got != order.Unknown {
					t.Errorf("without an answer it is %q", got)
				}
			}
			select {
			case <-hangs:
			case <-time.After(long):
				t.Fatal("the broker was sent nothing")
			}
			resume()
			for deadline := time.Now().Add(long); publish(long) != ""; {
				if time.Now().After(deadline) {
					t.Fatal("it is not published any more")
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
}

func TestTailSaysThatKafkaDoesNotAnswer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := events.Tail(ctx, []string{"127.0.0.1:1"}, topic, true, nil); err == nil {
		t.Error("no error")
	}
}
