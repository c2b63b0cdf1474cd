package bench

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// spread is what several repetitions of one measurement gave.
type spread struct {
	Min         float64 `json:"min"`
	Median      float64 `json:"median"`
	Max         float64 `json:"max"`
	Repetitions int     `json:"repetitions"`
}

// spreadOf is zero for no values.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	return spread{
		Min: rounded(slices.Min(values)), Median: rounded(median(values)), Max: rounded(slices.Max(values)),
		Repetitions: len(values),
	}
}

// median of an even number of values is the middle between the two in the middle. There must be one at least.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile is the shortest of the sorted latencies that p percent do not exceed; 0 if there are none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// rounded keeps four digits: more would only pretend precision.
func rounded(x float64) float64 { return toDigits(x, 4) }

func toDigits(x float64, digits int) float64 {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', digits, 64), 64) // it was a number before
	return short
}

// short is x for people.
func short(x float64) string { return strconv.FormatFloat(toDigits(x, 3), 'f', -1, 64) }

func milliseconds(d time.Duration) float64 { return rounded(float64(d) / float64(time.Millisecond)) }
