package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"text/tabwriter"
)

// figure is one of the figures that the last line gives, by its key.
type figure struct {
	key    string
	what   string
	target string
	// scenario is the name of what measures it, for --only.
	scenario string
}

// figures are all of them, in the order of the table.
var figures = []figure{
	{"orders_vs_empty", "orders/s, one hot SKU / empty workflows/s", "≥ 40", "hot"},
	{"orders_many_skus_vs_empty", "orders/s, 1,000 SKUs, 1 to 3 lines / empty workflows/s", "≥ 25", "many"},
	{"orders_slow_provider_vs_empty", "orders/s, provider takes 200 ms / empty workflows/s", "≥ 25", "slow"},
	{"orders_separate_vs_empty", "orders/s, api and worker apart / empty workflows/s", "≥ 30", "separate"},
	{"soldout_vs_handler", "sold-out answers/s / answers/s of an empty handler", "≥ 0.5", "soldout"},
	{"single_vs_empty_p50", "median ms of a lone order / of an empty workflow", "≤ 1.5", "single"},
	{"history_events_per_order", "history events of a lone order", "≤ 11", "footprint"},
	{"redis_bytes_per_order", "bytes in Redis of a finished order, until it expires", "≤ 200", "footprint"},
	{"late_vs_early", "orders/s after 200,000 orders / of the first 20,000", "≥ 0.9", "soak"},
}

// report is what has been measured.
type report struct {
	values   map[string]spread         // by key of figures
	details  map[string]string         // by key of figures: absolute figures, for people
	absolute map[string]map[string]any // by scenario
	audited  []string                  // scenarios after which the books balanced
	servers  map[string]string
	settings map[string]string // of api and worker, other than their defaults
	failed   []string
}

func newReport() *report {
	return &report{audited: []string{}, values: map[string]spread{}, details: map[string]string{}, absolute: map[string]map[string]any{}}
}

func (r *report) add(key string, value spread, details string) {
	r.values[key] = value
	r.details[key] = details
}

// detail keeps absolute figures of a scenario.
func (r *report) detail(scenario string, of ...map[string]any) {
	if r.absolute[scenario] == nil {
		r.absolute[scenario] = map[string]any{}
	}
	for _, m := range of {
		maps.Copy(r.absolute[scenario], m)
	}
}

// print writes the table, and the JSON object as the last line. Of a partial run, what was not measured is left out.
func (r *report) print(out io.Writer, partial bool) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	if !partial || len(r.values) > 0 {
		fmt.Fprintln(table, "WHAT\tMEDIAN\tMIN TO MAX\tTARGET\tMEASURED")
	}
	for _, f := range figures {
		v, measured := r.values[f.key]
		switch {
		case !measured && partial:
		case !measured:
			fmt.Fprintf(table, "%s\t-\t\t%s\tnot measured: bin/devstack bench --only %s\n", f.what, f.target, f.scenario)
		default:
			fmt.Fprintf(table, "%s\t%s\t%s to %s\t%s\t%s\n", f.what, short(v.Median), short(v.Min), short(v.Max), f.target, r.details[f.key])
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nRedis: %s. MySQL: %s.\n", r.servers["redis"], r.servers["mysql"])
	for _, name := range slices.Sorted(maps.Keys(r.settings)) {
		fmt.Fprintf(out, "Set by --set: %s=%s\n", name, r.settings[name])
	}
	for _, failure := range r.failed {
		fmt.Fprintf(out, "FAILED %s\n", failure)
	}
	line, err := json.Marshal(r.object())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", line)
	return err
}

// object is the JSON object: the median of each figure under its key, and beside them what they come from.
func (r *report) object() map[string]any {
	object := map[string]any{
		"servers": r.servers, "absolute": r.absolute, "spread": r.values, "audited": r.audited,
		"machine": map[string]any{"processors": runtime.GOMAXPROCS(0), "go": runtime.Version()},
	}
	for key, v := range r.values {
		object[key] = v.Median
	}
	if len(r.settings) > 0 {
		object["settings"] = r.settings
	}
	if len(r.failed) > 0 {
		object["failed"] = r.failed
	}
	return object
}
