package e2e_test

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.temporal.io/sdk/client"

	"holdfast/devstack/shop"
	"holdfast/devstack/stack"
	"holdfast/internal/testserver"
	"holdfast/order"
	"holdfast/workflows"
)

// series is what a metric is in the table and in a scrape.
type series struct {
	kind   string
	labels string // by name, separated by ", "
}

// foreign are the series that others own.
var foreign = []string{"go_", "process_", "promhttp_", "temporal_"}

// TestTheTableOfMetricsIsWhatAStackShows, neither more nor less, with its types and labels, once everything happened that is measured.
func TestTheTableOfMetricsIsWhatAStackShows(t *testing.T) {
	t.Parallel()
	k := openKafka(t)
	f := open(t, withKafka(k, map[string]string{"HOLDFAST_RETENTION": "1s", "HOLDFAST_PURGE_EVERY": "24h", "HOLDFAST_RECONCILE_GRACE": "100ms"}),
		func(cfg *stack.Config) { cfg.Redis = testserver.Redis(t).Addr() })
	f.liveThroughADay(t)

	documented := tableOfMetrics(t)
	shown := make(map[string]series)
	for from, url := range map[string]string{"api": f.APIURL() + "/metrics", "worker": f.MetricsURL()} {
		for name, family := range families(t, url) {
			if slices.ContainsFunc(foreign, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
				continue
			}
			shown[name] = seriesOf(family)
			row, exists := documented[name]
			if !exists {
				t.Errorf("%s shows %s, which the table does not have", from, name)
			} else if !strings.HasPrefix(row.from, from) && row.from != "both" {
				t.Errorf("%s shows %s, and the table says %s", from, name, row.from)
			}
		}
	}
	for name, row := range documented {
		if got, exists := shown[name]; !exists {
			t.Errorf("the table has %s, which nobody shows", name)
		} else if got != row.series {
			t.Errorf("%s is %+v, and the table says %+v", name, got, row.series)
		}
	}
}

// liveThroughADay does everything that has series of its own.
func (f shopFront) liveThroughADay(t *testing.T) {
	t.Helper()
	temporal := f.temporal(t)
	f.sell(t, "mug", 10)
	f.buy(t, "k-1", shop.Buy("ada", "tok_ok", "mug", 1))
	f.buy(t, "k-2", shop.Buy("ada", "tok_declined", "mug", 1))
	f.buy(t, "k-3", shop.Buy("ada", "tok_ok", "mug", 100))
	if err := f.Receive(t.Context(), "mug", 5, "delivery-1"); err != nil {
		t.Fatal(err)
	}
	c := f.letCrowdIn(t, 300, []string{"mug"}, "tok_ok")
	c.check(t, f)
	f.quiet(t)
	f.handOff(t)
	f.run(t, 0, "reconcile")
	f.quiet(t)
	if err := purge(t.Context(), temporal); err != nil {
		t.Fatal(err)
	}
	f.auditAsScheduled(t)
}

// auditAsScheduled has a worker audit as it does by itself, and gives what it found.
func (f shopFront) auditAsScheduled(t *testing.T) (found order.Audited) {
	t.Helper()
	temporal := f.temporal(t)
	options := client.StartWorkflowOptions{ID: workflows.AuditID + "-by-hand", TaskQueue: "holdfast"}
	run, err := temporal.ExecuteWorkflow(t.Context(), options, workflows.AuditOrdersName)
	if err == nil {
		err = run.Get(t.Context(), &found)
	}
	if err != nil {
		t.Fatal(err)
	}
	return found
}

type documentedSeries struct {
	series

	from string
}

var tableRow = regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\|([\\w, ]*)\\| ([\\w, ]+) \\| .+ \\|$")

func tableOfMetrics(t *testing.T) map[string]documentedSeries {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[string]documentedSeries)
	for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
		table[row[1]] = documentedSeries{series{row[2], strings.TrimSpace(row[3])}, row[4]}
	}
	if rows := strings.Count(string(text), "\n| `"); rows != len(table) {
		t.Fatalf("%d of %d rows are understood", len(table), rows)
	}
	return table
}

func families(t *testing.T, url string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(bytes.NewReader([]byte(scrape(t, url))))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func seriesOf(family *dto.MetricFamily) series {
	names := make(map[string]bool)
	for _, m := range family.GetMetric() {
		for _, label := range m.GetLabel() {
			names[label.GetName()] = true
		}
	}
	return series{strings.ToLower(family.GetType().String()), strings.Join(slices.Sorted(maps.Keys(names)), ", ")}
}

// TestARowDeletedByHandIsNoticed by the audit that runs by itself, and by the metric that it is alerted on.
func TestARowDeletedByHandIsNoticed(t *testing.T) {
	t.Parallel()
	f := open(t, func(cfg *stack.Config) { cfg.Settings = map[string]string{"HOLDFAST_AUDIT_EVERY": "1h"} })
	f.sell(t, "mug", 10)
	f.wantSchedule(t, workflows.AuditID, time.Hour)
	id := f.buy(t, "k", shop.Buy("ada", "tok_ok", "mug", 1)).ID()
	f.quiet(t)
	if found := f.auditAsScheduled(t); !found.Holds || found.Orders != 1 {
		t.Errorf("before: %+v", found)
	}
	f.deleteByHand(t, id)
	if found := f.auditAsScheduled(t); found.Holds || found.Found() < 2 {
		t.Errorf("after: %+v", found)
	}
	violations := make(map[string]float64)
	for _, m := range families(t, f.MetricsURL())["holdfast_audit_violations"].GetMetric() {
		violations[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
	}
	for _, kind := range []string{"charge_without_order", "on_hand_differs"} {
		if violations[kind] != 1 {
			t.Errorf("the metric says %v of %s: %v", violations[kind], kind, violations)
		}
	}
	if answer, err := f.Place(t.Context(), "other", shop.Buy("ada", "tok_ok", "mug", 1), 5*time.Second); err != nil || answer.Status != http.StatusCreated {
		t.Errorf("the shop is closed: %+v, %v", answer, err)
	}
}

// wantSchedule waits until a worker has set a schedule up.
func (f shopFront) wantSchedule(t *testing.T, id string, every time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for handle := f.temporal(t).ScheduleClient().GetHandle(ctx, id); ; pause(ctx, 20*time.Millisecond) {
		found, err := handle.Describe(ctx)
		if err == nil && (len(found.Schedule.Spec.Intervals) != 1 || found.Schedule.Spec.Intervals[0].Every != every) {
			t.Errorf("the schedule %s is %+v", id, found.Schedule.Spec)
		}
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("no schedule %s: %v", id, err)
		}
	}
}

// deleteByHand does what nobody should.
func (f shopFront) deleteByHand(t *testing.T, id order.ID) {
	t.Helper()
	db := f.sqlite(t)
	for _, statement := range []string{"DELETE FROM order_lines WHERE order_id = ?", "DELETE FROM orders WHERE id = ?"} {
		if _, err := db.ExecContext(t.Context(), statement, id); err != nil {
			t.Fatal(err)
		}
	}
}
