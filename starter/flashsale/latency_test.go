package flashsale

import (
	"testing"
	"time"
)

func TestPercentilesAreNearestRank(t *testing.T) {
	t.Parallel()
	upTo := func(n int) []time.Duration { // n to 1, to be sorted
		waits := make([]time.Duration, n)
		for i := range waits {
			waits[i] = time.Duration(n - i)
		}
		return waits
	}
	for name, test := range map[string]struct {
		waits []time.Duration
		want  Latency
	}{
		"none":     {nil, Latency{}},
		"one":      {upTo(1), Latency{1, 1, 1, 1, 1}},
		"two":      {upTo(2), Latency{1, 2, 2, 2, 2}},
		"ten":      {upTo(10), Latency{5, 9, 10, 10, 10}},
		"hundred":  {upTo(100), Latency{50, 90, 99, 100, 100}},
		"thousand": {upTo(1000), Latency{500, 900, 990, 999, 1000}},
		"odd":      {upTo(1001), Latency{501, 901, 991, 1000, 1001}},
	} {
		if got := measure(test.waits); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}
