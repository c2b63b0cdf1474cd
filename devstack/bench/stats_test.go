package bench

import (
	"testing"
	"time"
)

func TestSpreadIsOfTheRepetitions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values []float64
		want   spread
	}{
		"none": {nil, spread{}},
		"one":  {[]float64{3}, spread{3, 3, 3, 1}},
		"odd":  {[]float64{9, 1, 5}, spread{1, 5, 9, 3}},
		"even": {[]float64{4, 1, 2, 9}, spread{1, 3, 9, 4}},
		"long": {[]float64{1.0 / 3}, spread{.3333, .3333, .3333, 1}},
	} {
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestPercentileIsALatencyThatWasMeasured(t *testing.T) {
	t.Parallel()
	ten := make([]time.Duration, 10)
	for i := range ten {
		ten[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		of   []time.Duration
		p    float64
		want time.Duration
	}{
		{nil, 50, 0},
		{ten[:1], 50, 1},
		{ten[:1], 99, 1},
		{ten, 0, 1},
		{ten, 50, 5},
		{ten, 51, 6},
		{ten, 99, 10},
		{ten, 100, 10},
	} {
		if got := percentile(c.of, c.p); got != c.want {
			t.Errorf("p%v of %v is %d, want %d", c.p, c.of, got, c.want)
		}
	}
}

func TestNumbersForPeopleHaveThreeDigits(t *testing.T) {
	t.Parallel()
	for x, want := range map[float64]string{0: "0", 0.0082134: "0.00821", 1.2345: "1.23", 1193.7: "1190", 41: "41"} {
		if got := short(x); got != want {
			t.Errorf("%v is written %s, want %s", x, got, want)
		}
	}
}

func TestSeveralSamplesAreOneTogether(t *testing.T) {
	t.Parallel()
	s := together([]sample{
		newSample(time.Second, []time.Duration{30, 10}),
		newSample(time.Second, []time.Duration{20, 40}),
	})
	if s.perSecond() != 2 || s.p50() != 20 || s.p99() != 40 {
		t.Errorf("%v/s, p50 %d, p99 %d, want 2, 20 and 40", s.perSecond(), s.p50(), s.p99())
	}
}

func TestMeanBatchIsOfWhatCameBetween(t *testing.T) {
	t.Parallel()
	before := map[string]float64{"holdfast_admission_batch_size_sum": 10, "holdfast_admission_batch_size_count": 10}
	after := map[string]float64{"holdfast_admission_batch_size_sum": 310, "holdfast_admission_batch_size_count": 13}
	if got := meanBatch(before, after); got != 100 {
		t.Errorf("mean of 300 orders in 3 workflows is %v", got)
	}
	if got := meanBatch(after, after); got != 0 {
		t.Errorf("mean of none is %v", got)
	}
}
