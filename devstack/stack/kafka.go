package stack

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
)

// eventsTopic is where the stack's events go.
const eventsTopic = "holdfast.events"

// startKafka starts a broker that speaks Kafka's protocol, and keeps what it has in the data directory.
func (s *Stack) startKafka(context.Context) error {
	if s.cfg.Kafka == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(s.cfg.Kafka)
	if err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	s.kafka, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(number), kfake.SeedTopics(3, eventsTopic), kfake.DataDir(filepath.Join(s.cfg.Data, "kafka")))
	if err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	s.closers = append(s.closers, func() error { s.kafka.Close(); return nil })
	return nil
}

// KafkaAddr is the broker in use, HOST:PORT; "" if no events are published.
func (s *Stack) KafkaAddr() string {
	if s.kafka == nil {
		return ""
	}
	return strings.Join(s.kafka.ListenAddrs(), ",")
}
