package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// keysOfDesign are those that whoever reads the last line relies on.
var keysOfDesign = []string{
	"orders_vs_empty", "orders_many_skus_vs_empty", "orders_slow_provider_vs_empty", "orders_separate_vs_empty",
	"soldout_vs_handler", "single_vs_empty_p50", "history_events_per_order", "redis_bytes_per_order", "late_vs_early",
}

func TestTheFiguresAreThoseOfTheDesign(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, f := range figures {
		keys = append(keys, f.key)
		if !slices.ContainsFunc(scenarios, func(s scenario) bool { return s.name == f.scenario }) {
			t.Errorf("%s is said to be measured by %s, which does not exist", f.key, f.scenario)
		}
	}
	if !slices.Equal(keys, keysOfDesign) {
		t.Errorf("the figures are %v", keys)
	}
}

func TestTheLastLineIsTheObject(t *testing.T) {
	t.Parallel()
	r := newReport()
	r.servers = map[string]string{"redis": "embedded", "mysql": "MariaDB 10.11.19"}
	r.add("orders_vs_empty", spread{40, 41.5, 43, 3}, "many")
	r.detail("hot", map[string]any{"orders_per_s": 9000.0})
	r.failed = []string{"slow: the books do not balance"}
	var out bytes.Buffer
	if err := r.print(&out, false); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	var object map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &object); err != nil {
		t.Fatal(err)
	}
	if object["orders_vs_empty"] != 41.5 {
		t.Errorf("orders_vs_empty is %v", object["orders_vs_empty"])
	}
	if _, known := object["late_vs_early"]; known {
		t.Error("what was not measured has a key")
	}
	for _, text := range []string{"40 to 43", "bin/devstack bench --only soak", "Redis: embedded", "FAILED slow: the books do not balance"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("it does not say %q:\n%s", text, out.String())
		}
	}
}

func TestASweepIsWrittenAndDrawn(t *testing.T) {
	t.Parallel()
	points := []point{
		{AtOnce: 1, PerSecond: 100, P50: 9.5, P99: 20, PerWorkflow: 1, EmptiesPerSecond: 200},
		{AtOnce: 1000, PerSecond: 9000, P50: 92, P99: 1500, PerWorkflow: 187.5, EmptiesPerSecond: 210.25},
	}
	var csv, svg bytes.Buffer
	if err := writeCSV(&csv, points); err != nil {
		t.Fatal(err)
	}
	const want = "at_once,orders_per_s,p50_ms,p99_ms,orders_per_workflow,empty_per_s\n" +
		"1,100,9.5,20,1,200\n1000,9000,92,1500,187.5,210.25\n"
	if csv.String() != want {
		t.Errorf("got\n%s", csv.String())
	}
	if err := drawSweep(&svg, "one\ntwo", points); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two", "orders under way at once", "milliseconds until the answer", "per second", ">1000<"} {
		if !strings.Contains(svg.String(), text) {
			t.Errorf("the picture does not say %q", text)
		}
	}
}

func TestOptionsThatCannotBeRun(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Options){
		"no time":          func(o *Options) { o.Duration = 0 },
		"no shopper":       func(o *Options) { o.Shoppers = 0 },
		"no repetition":    func(o *Options) { o.Repetitions = 0 },
		"half a slice":     func(o *Options) { o.Orders = o.Slice / 2 },
		"unknown scenario": func(o *Options) { o.Only = []string{"hot", "cold"} },
	} {
		o := tiny
		spoil(&o)
		if err := Run(t.Context(), o, os.Stderr, os.Stderr); err == nil {
			t.Errorf("%s: it ran", name)
		}
	}
}
