package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/events"
)

const defaultTopic = "holdfast.events"

func (a *app) eventsCommand() *cobra.Command {
	return a.group(&cobra.Command{Use: "events", Short: "See what others are told"}, a.tailCommand())
}

func (a *app) tailCommand() *cobra.Command {
	var brokers, topic string
	var fromStart bool
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Print events as they come, one JSON document a line",
		Long: `Print the events that holdfast publishes on Kafka as they come, one CloudEvent in JSON a line, until it is interrupted.

An event may come more than once, with the same id.

Exit codes:
  0  it was interrupted
  1  Kafka does not answer, or the topic is not there
  2  usage`,
		Example: `  starter events tail --from-start
  starter events tail | jq .type`,
		Args: takes(),
		RunE: run(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			brokers = cmp.Or(brokers, a.environ.get(envBrokers))
			if brokers == "" {
				return usagef("say where Kafka is, by --brokers or %s", envBrokers)
			}
			topic = cmp.Or(topic, a.environ.get(envTopic), defaultTopic)
			err := events.Tail(ctx, strings.Split(brokers, ","), topic, fromStart, a.printEvent)
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return errorf("failed", "Failed", "%v", err)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&brokers, "brokers", "", "`HOST:PORT` of Kafka brokers, with commas ("+envBrokers+")")
	flags.StringVar(&topic, "topic", "", "the `topic` ("+envTopic+", else "+defaultTopic+")")
	flags.BoolVar(&fromStart, "from-start", false, "begin with the oldest that there is")
	return cmd
}

// printEvent prints a record's value on one line.
func (a *app) printEvent(value []byte) error {
	var line bytes.Buffer
	if err := json.Compact(&line, value); err != nil {
		a.sayf("a record is no JSON: %v", err)
		return nil
	}
	line.WriteByte('\n')
	_, err := a.stdout.Write(line.Bytes())
	return err
}
