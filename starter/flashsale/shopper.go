package flashsale

import (
	"context"
	"math/rand/v2"
	"time"
)

// Pauses between two requests for one order. Each is twice the one before.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	// longestRetryAfter is the most that an answer may ask for; the API asks for no more.
	longestRetryAfter = 30 * time.Second
)

// shop places an order as a shop's back end does: it is sent again, under the same key, until it has an end.
func (s *Sale) shop(ctx context.Context, i int, due time.Time) {
	s.tally.arrived.Add(1)
	o := s.cfg.Plan.Order(i)
	var v visit
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		s.tally.requests.Add(1)
		answer := s.cfg.Place(ctx, o)
		v.hear(answer)
		if s.cfg.Once || answer.Outcome.Definite() || s.cfg.Pause(ctx, pauseFor(pause, answer)) != nil {
			break
		}
		s.tally.repeats.Add(1)
	}
	s.tally.end(o, v, time.Since(due))
}

// pauseFor is the pause after an answer that is not definite: what it asks for within bounds, and up to half as
// much again, so that shoppers who were turned away together do not come back together.
func pauseFor(pause time.Duration, a Answer) time.Duration {
	pause = max(pause, min(a.RetryAfter, longestRetryAfter))
	return pause + rand.N(pause/2) //nolint:gosec // it spreads requests, and guards nothing
}

// visit is what a shopper has heard so far.
type visit struct {
	outcome Outcome
	words   string // of the last answer
	wasFull bool
}

// hear takes the next answer. What is known of an order is not forgotten when the next answer says less: an order
// on record stays there, and one that may have been let in is not known to be out because the API is full now.
func (v *visit) hear(a Answer) {
	v.words = a.Words
	v.wasFull = v.wasFull || a.Outcome == Full
	if a.Outcome.Definite() || a.Outcome.tells() >= v.outcome.tells() {
		v.outcome = a.Outcome
	}
}
