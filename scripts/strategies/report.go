//go:build unix

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// result is one run of one strategy.
type result struct {
	units   int64 // that existed
	told    int64 // units that buyers were told they hold
	sold    int64 // units of the orders on record
	counter int64 // stock.reserved
	refused int64 // orders
	gaveUp  int64 // orders that were neither held nor refused

	deadlocks, lockWaits, snapshots int64 // transactions that were repeated for that

	took      time.Duration   // until the last unit was held
	ended     time.Duration   // when the last order was answered
	latencies []time.Duration // of the orders that hold a unit
}

// faults lists what the run got wrong. Every unit was wanted, so one that is left is a fault too.
func (r result) faults(counts bool) (faults []string) {
	switch {
	case r.sold > r.units:
		faults = append(faults, fmt.Sprintf("oversold %d", r.sold-r.units))
	case r.sold < r.units && r.gaveUp == 0:
		faults = append(faults, fmt.Sprintf("left %d", r.units-r.sold))
	}
	if r.told != r.sold {
		faults = append(faults, fmt.Sprintf("told %d", r.told))
	}
	if counts && r.counter != r.sold {
		faults = append(faults, fmt.Sprintf("counter %d", r.counter))
	}
	return faults
}

// holdsPerSecond is for as long as there were units, refusalsPerSecond for the time after.
func (r result) holdsPerSecond() float64    { return perSecond(r.told, r.took) }
func (r result) refusalsPerSecond() float64 { return perSecond(r.refused, r.ended-r.took) }

func perSecond(n int64, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}
	return float64(n) / took.Seconds()
}

// percentile is the latency that so many of a hundred orders did not exceed; 0 without any.
func (r result) percentile(p int) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.latencies))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// printTable prints one line for each strategy; series holds the results of each, one for each round.
func printTable(out io.Writer, series [][]result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "strategy\tverdict\tunits\tsold\toversold\tcounter\t1213\t1205\t1020\tgave up\tholds/s\tp50 ms\tp99 ms\trefusals/s")
	for i, results := range series {
		fmt.Fprintln(w, strings.Join(strategies[i].line(results), "\t"))
	}
	return w.Flush()
}

func (s strategy) line(results []result) []string {
	count := func(of func(r result) int64) string {
		return spread(results, of, func(n int64) string { return strconv.FormatInt(n, 10) })
	}
	rate := func(of func(r result) float64) string {
		return spread(results, of, func(f float64) string { return fmt.Sprintf("%.0f", f) })
	}
	milliseconds := func(p int) string {
		return spread(results, func(r result) time.Duration { return r.percentile(p) },
			func(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1000) })
	}
	unless := func(unknown bool, figure string) string {
		if unknown {
			return "-"
		}
		return figure
	}
	return []string{
		s.name,
		verdict(results, !s.uncounted),
		count(func(r result) int64 { return r.units }),
		count(func(r result) int64 { return r.sold }),
		count(func(r result) int64 { return max(0, r.sold-r.units) }),
		unless(s.uncounted, count(func(r result) int64 { return r.counter })),
		unless(s.opaque, count(func(r result) int64 { return r.deadlocks })),
		unless(s.opaque, count(func(r result) int64 { return r.lockWaits })),
		unless(s.opaque, count(func(r result) int64 { return r.snapshots })),
		count(func(r result) int64 { return r.gaveUp }),
		rate(result.holdsPerSecond),
		milliseconds(50),
		milliseconds(99),
		rate(result.refusalsPerSecond),
	}
}

// verdict is right only if every round was, and otherwise tells what the first wrong one did.
func verdict(results []result, counts bool) string {
	for _, r := range results {
		if faults := r.faults(counts); len(faults) > 0 {
			return "WRONG: " + strings.Join(faults, ", ")
		}
	}
	return "right"
}

// spread is the median of a figure over the rounds with the lowest and the highest, or the figure alone if it never
// changed.
func spread[T cmp.Ordered](results []result, of func(r result) T, format func(T) string) string {
	values := make([]T, len(results))
	for i, r := range results {
		values[i] = of(r)
	}
	slices.Sort(values)
	lowest, highest := values[0], values[len(values)-1]
	if lowest == highest {
		return format(lowest)
	}
	return fmt.Sprintf("%s (%s to %s)", format(median(values)), format(lowest), format(highest))
}

// median is of sorted values; of an even number, the lower of the two in the middle, which was measured.
func median[T any](sorted []T) T { return sorted[(len(sorted)-1)/2] }
