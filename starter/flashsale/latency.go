package flashsale

import (
	"slices"
	"time"
)

// Latency is how long shoppers waited: from the moment they came, or should have come, to the end, with all
// repeats and pauses. Percentiles are exact, by nearest rank: each is a time that a shopper really waited.
type Latency struct {
	P50, P90, P99, P999, Max time.Duration
}

// measure sorts what it is given.
func measure(waits []time.Duration) Latency {
	if len(waits) == 0 {
		return Latency{}
	}
	slices.Sort(waits)
	at := func(perMille int) time.Duration { return waits[(len(waits)*perMille+999)/1000-1] }
	return Latency{P50: at(500), P90: at(900), P99: at(990), P999: at(999), Max: waits[len(waits)-1]}
}
