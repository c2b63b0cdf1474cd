package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestEventsTail prints what is there and what comes, one document a line whatever a producer made of it, until it is interrupted.
func TestEventsTail(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "shop.events"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	producer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic("shop.events"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	publish := func(text string) {
		if err := producer.ProduceSync(t.Context(), kgo.StringRecord(text)).FirstErr(); err != nil {
			t.Error(err)
		}
	}
	publish("{\n  \"id\": \"1\"\n}")
	publish("no JSON")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen := &seeing{want: "\"last\"}\n", then: cancel}
	program := try{environ: []string{"HOLDFAST_KAFKA_BROKERS=" + strings.Join(cluster.ListenAddrs(), ","), "HOLDFAST_EVENTS_TOPIC=shop.events"}}
	program.change = func(a *app) {
		a.stdout = seen
		publish(`{"id":"last"}`)
	}
	got := program.runIn(ctx, t, "events", "tail", "--from-start")
	same(t, "stdout", seen.text.String(), "{\"id\":\"1\"}\n{\"id\":\"last\"}\n")
	contains(t, "stderr", got.err, "a record is no JSON")
	if got.code != 0 {
		t.Errorf("exit code %d", got.code)
	}
}

// seeing calls then once a text was written.
type seeing struct {
	text strings.Builder
	want string
	then func()
}

func (s *seeing) Write(b []byte) (int, error) {
	n, err := s.text.Write(b)
	if strings.Contains(s.text.String(), s.want) {
		s.then()
	}
	return n, err
}

func TestEventsTailFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args  []string
		code  int
		words string
	}{
		"no brokers": {nil, 2, "say where Kafka is, by --brokers or HOLDFAST_KAFKA_BROKERS"},
		"usage":      {[]string{"now"}, 2, "takes no arguments"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := try{}.run(t, append([]string{"events", "tail"}, test.args...)...)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d", got.code, test.code)
			}
			contains(t, "stderr", got.err, test.words)
		})
	}
}
