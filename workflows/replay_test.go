package workflows_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"holdfast/tracing"
)

// recorded are the ways of an order to end, and the other workflows, that must have a history. `make histories`
// records them again.
var recorded = []string{
	"confirmed", "confirmed-after-lost-answers", "confirmed-after-a-slow-answer", "declined", "sold-out",
	"confirmed-async", "payment-expired", "reconciled", "handed-off", "purged", "audited", "published", "confirmed-and-told", "declined-and-told",
	"cancelled-sale", "cancelled-meanwhile", "cancelled-pending", "cancelled-in-temporal", "cancelled-and-settled-by-hand",
	"settled-as-charged", "settled-as-not-charged", "retried-by-hand", "confirmed-after-a-long-outage",
	"batch-decided", "batch-handed-on",
}

// TestRecordedHistoriesReplay shows that this build carries on every order that an earlier one began.
func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/histories/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".json"))
		for how, options := range map[string]worker.WorkflowReplayerOptions{"plain": {}, "traced": traced(t)} {
			t.Run(filepath.Base(file)+"/"+how, func(t *testing.T) {
				t.Parallel()
				replayer, err := worker.NewWorkflowReplayerWithOptions(options)
				if err != nil {
					t.Fatal(err)
				}
				configured.Register(replayer)
				if err := replayer.ReplayWorkflowHistoryFromJSONFile(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), file); err != nil {
					t.Error(err)
				}
			})
		}
	}
	for _, way := range recorded {
		if !slices.Contains(names, way) {
			t.Errorf("no recorded history of %s: run make histories", way)
		}
	}
}

// traced is how a worker replays that makes spans: it may meet histories of one that does not.
func traced(t *testing.T) (options worker.WorkflowReplayerOptions) {
	t.Helper()
	interceptors, err := tracing.Interceptors(sdktrace.NewTracerProvider())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interceptors {
		ofWorkers, ok := i.(interceptor.WorkerInterceptor)
		if !ok {
			t.Fatalf("%T does not see workflows", i)
		}
		options.Interceptors = append(options.Interceptors, ofWorkers)
	}
	return options
}

// TestStraightPathIsShort holds the history of a straight-through order to the bound of the design:
// each event costs the Temporal server a write.
func TestStraightPathIsShort(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/histories/confirmed.json")
	if err != nil {
		t.Fatal(err)
	}
	const bound = 11
	if events := strings.Count(string(text), `"eventId"`); events == 0 || events > bound {
		t.Errorf("a straight-through order has %d history events, want 1 to %d", events, bound)
	}
}
