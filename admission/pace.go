package admission

import (
	"math"
	"time"
)

// pace is how fast orders are carried, as an average that forgets.
type pace struct {
	perSecond float64
	last      time.Time // of the last addition; zero before the first
}

// memory is how long the average remembers: a sale's pace changes within seconds.
const memory = 5 * time.Second

// add counts orders that were carried until now.
func (p *pace) add(orders int, now time.Time) {
	if p.last.IsZero() {
		p.last = now
	}
	p.perSecond = p.at(now) + float64(orders)/memory.Seconds()
	p.last = now
}

// at is the pace at a time: it fades while nothing is carried.
func (p *pace) at(now time.Time) float64 {
	return p.perSecond * math.Exp(-now.Sub(p.last).Seconds()/memory.Seconds())
}

const maxRetryAfter = 30 // seconds

// seconds is how long so many orders take.
func (p *pace) seconds(orders int, now time.Time) int {
	rate := p.at(now)
	switch {
	case orders == 0:
		return 1
	case rate*maxRetryAfter <= float64(orders):
		return maxRetryAfter
	}
	return max(1, int(math.Ceil(float64(orders)/rate)))
}
