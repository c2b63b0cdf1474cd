// Package events publishes what has happened on Kafka, as CloudEvents in JSON. docs/events.yaml describes them to those who
// read them. Only app and the starter import it; activities know it as a port.
package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"holdfast/order"
)

// Config says where events go. Brokers and Topic are required.
type Config struct {
	Brokers []string // HOST:PORT, of which one has to be there at first
	Topic   string
	// Timeout bounds one call. 0 means DefaultTimeout.
	Timeout time.Duration
	// Registerer takes the publisher's series; nil drops them.
	Registerer prometheus.Registerer
}

// DefaultTimeout is long for a cluster that is well, and short enough for a worker that is being stopped.
const DefaultTimeout = 10 * time.Second

// Publisher publishes events on a topic. It may be used from many goroutines.
type Publisher struct {
	client  *kgo.Client
	timeout time.Duration
	breaker circuitbreaker.CircuitBreaker[any]
	metrics *publisherMetrics
}

// NewPublisher makes one, without any connection yet.
func NewPublisher(cfg Config) (*Publisher, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.DefaultProduceTopic(cfg.Topic),
		kgo.ClientID("holdfast"),
		kgo.ProducerLinger(0),                                    // what can go together comes together
		kgo.RecordDeliveryTimeout(max(cfg.Timeout, time.Second)), // the least that it takes
		// The client waits for the sum of both for what a broker owes, and sends nothing more meanwhile.
		kgo.ProduceRequestTimeout(max(cfg.Timeout/2, leastWait)),
		kgo.RequestTimeoutOverhead(max(cfg.Timeout/2, leastWait)),
		// A broker that dies with a request in its hands would otherwise be waited for without end. What is sent again may then come twice, as
		// consumers are told.
		kgo.AllowIdempotentProduceCancellation(),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // by the subject, as other clients hash it
	)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	return &Publisher{
		client: client, timeout: cfg.Timeout, metrics: newPublisherMetrics(cfg.Registerer),
		// While Kafka is away, orders are not kept waiting for it.
		breaker: circuitbreaker.NewBuilder[any]().WithFailureThreshold(2).WithDelay(2 * time.Second).Build(),
	}, nil
}

// leastWait is the shortest that the client takes for a request.
const leastWait = 100 * time.Millisecond

// Close gives up what is not published yet.
func (p *Publisher) Close() { p.client.Close() }

// errAway says that Kafka did not answer a moment ago.
var errAway = order.Failf(order.Transient, "Kafka is away")

// Publish implements the port of package activities. It returns once all replicas that Kafka waits for have all events. A repeat
// publishes them again.
func (p *Publisher) Publish(ctx context.Context, events []order.Event) error {
	if len(events) == 0 {
		return nil
	}
	if !p.breaker.TryAcquirePermit() {
		return errAway
	}
	err := p.produce(ctx, events)
	if err != nil {
		p.breaker.RecordFailure()
		p.metrics.failures.Inc()
		return err
	}
	p.breaker.RecordSuccess()
	for _, e := range events {
		p.metrics.published.WithLabelValues(string(e.Type)).Inc()
	}
	return nil
}

func (p *Publisher) produce(ctx context.Context, events []order.Event) error {
	records := make([]*kgo.Record, len(events))
	for i, e := range events {
		text, err := Encode(e)
		if err != nil {
			return order.Failf(order.Final, "event %s: %w", e.ID, err)
		}
		records[i] = &kgo.Record{
			Key: []byte(e.Subject), Value: text, Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte(ContentType)}},
		}
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	// While the client waits for what a broker owes to an earlier call, it does not heed the context.
	produced := make(chan error, 1)
	go func() { produced <- p.client.ProduceSync(ctx, records...).FirstErr() }()
	var err error
	select {
	case err = <-produced:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return order.Failf(order.Unknown, "publish %d events: %w", len(events), err)
	}
	return nil
}

// ContentType is that of a record's value.
const ContentType = "application/cloudevents+json"

// cloudEvent is an event as CloudEvents 1.0 has it in JSON.
type cloudEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            order.EventType `json:"type"`
	Subject         string          `json:"subject"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Data            any             `json:"data"`
}

// source is who says it.
const source = "/holdfast"

// Encode gives an event's record.
func Encode(e order.Event) ([]byte, error) {
	return json.Marshal(cloudEvent{
		SpecVersion: "1.0", ID: e.ID, Source: source, Type: e.Type, Subject: e.Subject, Time: e.At.UTC(), DataContentType: "application/json", Data: e.Data,
	})
}

// Tail calls see with each record's value, the newest from now on or, with fromStart, all that there are. It returns the error of
// see, or why nothing can be read; the context's if that ended.
func Tail(ctx context.Context, brokers []string, topic string, fromStart bool, see func(value []byte) error) error {
	start := kgo.NewOffset().AtEnd()
	if fromStart {
		start = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(start), kgo.ClientID("holdfast-tail"))
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("reach Kafka: %w", err)
	}
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var failed error
		fetches.EachError(func(_ string, _ int32, err error) { failed = errors.Join(failed, err) })
		if failed != nil {
			return fmt.Errorf("read %s: %w", topic, failed)
		}
		for records := fetches.RecordIter(); !records.Done(); {
			if err := see(records.Next().Value); err != nil {
				return err
			}
		}
	}
}

type publisherMetrics struct {
	published *prometheus.CounterVec
	failures  prometheus.Counter
}

func newPublisherMetrics(reg prometheus.Registerer) *publisherMetrics {
	m := &publisherMetrics{
		published: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_events_published_total",
			Help: "Events that Kafka has, by type. A repeat counts again.",
		}, []string{"type"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_events_failures_total",
			Help: "Calls that published events and that Kafka did not answer well. They are repeated.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.published, m.failures)
	}
	return m
}
