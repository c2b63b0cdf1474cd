//go:build unix

package main

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTheSpreadIsTheMedianOfTheRoundsAndTheirRange(t *testing.T) {
	for want, sold := range map[string][]int64{
		"7":          {7},
		"5":          {5, 5, 5},
		"2 (1 to 9)": {9, 1, 2},
		"2 (1 to 4)": {4, 3, 2, 1}, // the lower of the two in the middle
	} {
		var results []result
		for _, n := range sold {
			results = append(results, result{sold: n})
		}
		got := spread(results, func(r result) int64 { return r.sold }, func(n int64) string { return strconv.FormatInt(n, 10) })
		if got != want {
			t.Errorf("%v: %q, want %q", sold, got, want)
		}
	}
}

func TestAPercentileIsALatencyThatWasMeasured(t *testing.T) {
	var r result
	if got := r.percentile(99); got != 0 {
		t.Errorf("of nothing: %s", got)
	}
	for i := range 200 {
		r.latencies = append(r.latencies, time.Duration(200-i)*time.Millisecond)
	}
	for p, want := range map[int]int64{0: 1, 1: 2, 50: 100, 99: 198, 100: 200} {
		if got := r.percentile(p); got.Milliseconds() != want {
			t.Errorf("p%d is %s, want %d ms", p, got, want)
		}
	}
}

func TestTheVerdictIsRightOnlyIfEveryRoundWas(t *testing.T) {
	right := result{units: 10, told: 10, sold: 10, counter: 10}
	for name, c := range map[string]struct {
		result
		counts bool
		want   string
	}{
		"right":                  {right, true, "right"},
		"right without counter":  {result{units: 10, told: 10, sold: 10}, false, "right"},
		"oversold":               {result{units: 10, told: 12, sold: 12, counter: 12}, true, "WRONG: oversold 2"},
		"told too much":          {result{units: 10, told: 11, sold: 10, counter: 10}, true, "WRONG: told 11"},
		"counter differs":        {result{units: 10, told: 10, sold: 10, counter: 9}, true, "WRONG: counter 9"},
		"refused what there was": {result{units: 10, told: 9, sold: 9, counter: 9}, true, "WRONG: left 1"},
		"gave up":                {result{units: 10, told: 9, sold: 9, counter: 9, gaveUp: 1}, true, "right"},
	} {
		if got := verdict([]result{c.result}, c.counts); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if got := verdict([]result{right, {units: 10, told: 11, sold: 11, counter: 11}, right}, true); got != "WRONG: oversold 1" {
		t.Errorf("of three rounds, one of them wrong: %s", got)
	}
}

func TestTheTableHasALineForEachStrategy(t *testing.T) {
	series := make([][]result, len(strategies))
	for i := range series {
		series[i] = []result{{units: 10, told: 10, sold: 10, counter: 10, refused: 5, took: time.Second, ended: 2 * time.Second}}
	}
	var out strings.Builder
	if err := printTable(&out, series); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1+len(strategies) {
		t.Fatalf("printed\n%s", out.String())
	}
	for i, s := range strategies {
		if line := lines[i+1]; !strings.HasPrefix(line, s.name+"  ") || !strings.Contains(line, "right") || !strings.HasSuffix(line, " 5") {
			t.Errorf("%s is %q", s.name, line)
		}
	}
}

func TestABatchIsWhatComesTogetherAndNoMoreThanFits(t *testing.T) {
	requests := make(chan request, 100)
	for range cap(requests) {
		requests <- request{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	for _, want := range []int{mostInBatch, cap(requests) - mostInBatch} {
		if got := len(gather(ctx, requests)); got != want {
			t.Errorf("a batch of %d, want %d", got, want)
		}
	}
	cancel()
	if got := len(gather(ctx, requests)); got != 0 {
		t.Errorf("a batch of %d at the end", got)
	}
}
