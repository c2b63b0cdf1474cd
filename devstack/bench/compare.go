package bench

import (
	"context"
	"fmt"
)

// side is one of two things that are compared.
type side struct {
	what string // of what is counted, in the plural
	run  func(context.Context) (sample, error)
}

// comparison is what two sides gave that took turns: what else the machine does in the meantime hits both alike.
type comparison struct {
	ratios          spread
	ours, yardstick sample // all repetitions together
}

// compare lets both sides take turns, and gives the ratio of each pair of turns. Both must have been warmed up.
func (b *bench) compare(ctx context.Context, f *floor, ours, yardstick side, ratio func(ours, yardstick sample) float64) (comparison, error) {
	var ratios []float64
	var samples [2][]sample
	for repetition := range b.Repetitions {
		for i, s := range []side{ours, yardstick} {
			if err := f.quiet(ctx); err != nil {
				return comparison{}, err
			}
			measured, err := s.run(ctx)
			if err != nil {
				return comparison{}, fmt.Errorf("%s: %w", s.what, err)
			}
			samples[i] = append(samples[i], measured)
		}
		a, y := samples[0][repetition], samples[1][repetition]
		ratios = append(ratios, ratio(a, y))
		b.say("  %d of %d: %s against %s, %s", repetition+1, b.Repetitions, describe(ours.what, a), describe(yardstick.what, y), short(ratios[repetition]))
	}
	return comparison{ratios: spreadOf(ratios), ours: together(samples[0]), yardstick: together(samples[1])}, nil
}

// ofRates is how many times as much ours does.
func ofRates(ours, yardstick sample) float64 { return ours.perSecond() / yardstick.perSecond() }

// ofMedians is how many times as long ours takes.
func ofMedians(ours, yardstick sample) float64 {
	return float64(ours.p50()) / float64(yardstick.p50())
}

func describe(what string, s sample) string {
	return fmt.Sprintf("%.0f %s/s (p50 %s ms, p99 %s ms)", s.perSecond(), what, short(milliseconds(s.p50())), short(milliseconds(s.p99())))
}

// absolute are a sample's own figures, for the JSON; what begins the names.
func absolute(what string, s sample) map[string]any {
	return map[string]any{
		what + "_per_s":  rounded(s.perSecond()),
		what + "_p50_ms": milliseconds(s.p50()),
		what + "_p99_ms": milliseconds(s.p99()),
		what + "_total":  s.operations(),
	}
}
