package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"holdfast/order"
)

// say tells of a fault as it begins.
func (r *run) say(f fault) {
	r.faults = append(r.faults, f)
	_, _ = fmt.Fprintf(r.progress, "%6.1fs  %s\n", f.at.Seconds(), f)
}

// live says how the shoppers fare until they are done.
func (r *run) live(ctx context.Context, done <-chan struct{}) {
	began := time.Now()
	every := time.NewTicker(2 * time.Second)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			placed, ended := r.crowd.progress()
			_, _ = fmt.Fprintf(r.progress, "%6.1fs  %d orders placed, %d under way\n", time.Since(began).Seconds(), placed, placed-ended)
		case <-done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// summary is the last line of the output.
type summary struct {
	Seed       uint64         `json:"seed"`
	DurationS  float64        `json:"duration_s"`
	QuietS     float64        `json:"quiet_after_s"` // from the end of the faults
	Faults     map[string]int `json:"faults"`
	Orders     map[string]int `json:"orders"`
	Answers    map[string]int `json:"answers"`
	Violations []string       `json:"violations"`
}

func (r *run) summary() summary {
	s := summary{
		Seed: r.Seed, DurationS: r.Duration.Seconds(), QuietS: float64(r.quietAfter.Milliseconds()) / 1000,
		Faults: tally(r.faults), Orders: make(map[string]int), Answers: make(map[string]int), Violations: r.violations,
	}
	if s.Violations == nil {
		s.Violations = []string{}
	}
	for _, p := range r.crowd.purchases {
		s.Orders["placed"]++
		if record := r.books.orders[p.id()]; record.exists() {
			s.Orders[record.kind()]++
		} else {
			s.Orders["turned_away"]++
		}
		for _, a := range p.answers {
			s.Answers[fmt.Sprint(a.status)]++
			if a.status == http.StatusServiceUnavailable {
				s.Answers[a.slug]++
			}
		}
	}
	return s
}

// kind is how the order ended, in one word.
func (r record) kind() string {
	if r.order.Status == order.Rejected {
		return "rejected_" + string(r.order.Reason)
	}
	return strings.ToLower(string(r.order.Status))
}

func (r *run) print(out io.Writer) {
	s := r.summary()
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for _, part := range []struct {
		title  string
		counts map[string]int
	}{{"FAULT", s.Faults}, {"ORDERS", s.Orders}, {"ANSWERS", s.Answers}} {
		_, _ = fmt.Fprintf(table, "%s\tTIMES\n", part.title)
		for _, name := range slices.Sorted(maps.Keys(part.counts)) {
			_, _ = fmt.Fprintf(table, "%s\t%d\n", name, part.counts[name])
		}
		_, _ = fmt.Fprintln(table)
	}
	_ = table.Flush()
	for _, v := range s.Violations {
		_, _ = fmt.Fprintln(out, "VIOLATION:", v)
	}
	if len(s.Violations) == 0 {
		_, _ = fmt.Fprintf(out, "The promises held; all was quiet %s after the last fault.\n", r.quietAfter.Round(time.Millisecond))
	}
	text, err := json.Marshal(s)
	if err != nil { // cannot be: it has strings and numbers only
		panic(err)
	}
	_, _ = fmt.Fprintln(out, string(text))
}
