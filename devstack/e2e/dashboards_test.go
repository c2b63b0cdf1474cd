package e2e_test

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"holdfast/devstack/prom"
	"holdfast/devstack/stack"
	"holdfast/internal/testserver"
)

// metricName finds the names of metrics, and of recorded ones, in an expression.
var metricName = regexp.MustCompile(`\b(?:holdfast|temporal|go|process|promhttp|up)(?:[_:]\w+)*\b`)

// ofTheServer marks panels of Temporal's own metrics, which the embedded server does not have. devstack/compose compares them with a real one.
const ofTheServer = `job="temporal"`

// TestDashboardsShowWhatAStackHas: each expression of each panel parses, names only what there is, and has data, in a real Prometheus
// that scraped a stack which lived through a day, with the rules that record.
func TestDashboardsShowWhatAStackHas(t *testing.T) {
	t.Parallel()
	k := openKafka(t)
	f := open(t, withKafka(k, map[string]string{"HOLDFAST_RETENTION": "1s", "HOLDFAST_PURGE_EVERY": "24h", "HOLDFAST_RECONCILE_GRACE": "100ms"}),
		func(cfg *stack.Config) { cfg.Redis = testserver.Redis(t).Addr() })
	p := f.observe(t)
	f.liveThroughADay(t)

	files, err := filepath.Glob("../../deploy/grafana/dashboards/*.json")
	if err != nil || len(files) != 4 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, file := range files {
		d, err := prom.ReadDashboard(file)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimSuffix(filepath.Base(file), ".json"); d.UID != want || d.Title == "" {
			t.Errorf("%s is %q, %q", file, d.UID, d.Title)
		}
		for _, panel := range d.Panels {
			if panel.Type == "row" {
				continue
			}
			if len(panel.Targets) == 0 {
				t.Errorf("%s: %s has no expression", d.Title, panel.Title)
			}
			for _, target := range panel.Targets {
				if strings.Contains(target.Expr, ofTheServer) {
					continue
				}
				for _, name := range metricName.FindAllString(target.Expr, -1) {
					p.wantName(ctx, t, d.Title+": "+panel.Title, name)
				}
				p.wantData(ctx, t, d.Title+": "+panel.Title, prom.Expr(target.Expr, "5m"))
			}
		}
	}
}

// observer is a Prometheus in a test.
type observer struct{ *prom.Prometheus }

// observe has a Prometheus scrape a stack's api and worker.
func (f shopFront) observe(t *testing.T, flags ...string) observer {
	t.Helper()
	testserver.Program(t, "prometheus")
	address := func(url string) []string {
		return []string{strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics")}
	}
	p, err := prom.Start(t.Context(), t.TempDir(), map[string][]string{"api": address(f.APIURL()), "worker": address(f.MetricsURL())},
		"../../deploy/prometheus/rules/holdfast.yml", flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return observer{p}
}

// wantName waits until somebody has a metric.
func (o observer) wantName(ctx context.Context, t *testing.T, what, name string) {
	t.Helper()
	for ; ; pause(ctx, prom.Scrape) {
		values, _, _, err := o.LabelValues(ctx, model.MetricNameLabel, nil, time.Now().Add(-time.Hour), time.Now())
		switch {
		case slices.Contains(values, model.LabelValue(name)):
			return
		case ctx.Err() != nil:
			t.Errorf("%s names %s, which nobody has", what, name)
			return
		case err != nil:
			t.Fatal(err)
		}
	}
}

// wantData waits until an expression has a value.
func (o observer) wantData(ctx context.Context, t *testing.T, what, expr string) {
	t.Helper()
	for ; ; pause(ctx, prom.Scrape) {
		value, warnings, _, err := o.Query(ctx, expr, time.Now())
		if err != nil {
			t.Errorf("%s: %s: %v", what, expr, err)
			return
		}
		if vector, is := value.(model.Vector); is && len(vector) > 0 {
			if len(warnings) > 0 {
				t.Errorf("%s: %s: %q", what, expr, warnings)
			}
			return
		}
		if ctx.Err() != nil {
			t.Errorf("%s: %s has no data", what, expr)
			return
		}
	}
}

// TestHistogramsAreNativeAsWell: in a Prometheus that takes native histograms a query needs no buckets.
func TestHistogramsAreNativeAsWell(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.observe(t, "--enable-feature=native-histograms")
	f.sell(t, "mug", 1)
	f.sellMugs(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, name := range []string{
		"holdfast_http_request_duration_seconds", "holdfast_step_duration_seconds", "holdfast_payment_request_duration_seconds", "holdfast_admission_batch_size",
	} {
		p.wantData(ctx, t, name, "histogram_quantile(0.5, sum("+name+"))")
	}
}
