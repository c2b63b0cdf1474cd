//go:build unix

package main

import (
	"context"
	"time"

	"holdfast/orderdb"
)

const (
	// mostInBatch is how many orders one transaction decides.
	mostInBatch = 64
	// linger is how long a batch waits for more, once it has its first order. Buyers who were all answered at once need
	// some hundred microseconds to ask again; without it every other batch would be of one.
	linger = time.Millisecond
)

// batchOpener is an opener for batches.
type batchOpener func(ctx context.Context, db *orderdb.DB, units int64, t *tally) (decide, error)

// decide holds a batch of orders in one transaction, and tells of each whether it got its unit.
type decide func(ctx context.Context, ids []string) (held []bool, err error)

// request is a buyer who waits for his answer.
type request struct {
	id     string
	answer chan<- answer // has room for it: nobody waits for a buyer who is gone
}

type answer struct {
	held bool
	err  error
}

// inBatches gathers the orders of all buyers for one transaction at a time.
func inBatches(open batchOpener) opener {
	return func(ctx context.Context, db *orderdb.DB, units int64, t *tally) (buy, error) {
		decide, err := open(ctx, db, units, t)
		if err != nil {
			return nil, err
		}
		requests := make(chan request)
		go serve(ctx, requests, decide)
		return func(ctx context.Context, id string) (bool, error) {
			answers := make(chan answer, 1)
			select {
			case requests <- request{id, answers}:
			case <-ctx.Done():
				return false, ctx.Err()
			}
			select {
			case a := <-answers:
				return a.held, a.err
			case <-ctx.Done():
				return false, ctx.Err()
			}
		}, nil
	}
}

// serve decides batches until ctx ends.
func serve(ctx context.Context, requests <-chan request, decide decide) {
	for {
		batch := gather(ctx, requests)
		if len(batch) == 0 {
			return
		}
		ids := make([]string, len(batch))
		for i, r := range batch {
			ids[i] = r.id
		}
		held, err := decide(ctx, ids)
		for i, r := range batch {
			r.answer <- answer{held: err == nil && held[i], err: err}
		}
	}
}

// gather waits for the first request and takes those that come soon after. There is none once ctx has ended.
func gather(ctx context.Context, requests <-chan request) (batch []request) {
	select {
	case r := <-requests:
		batch = append(batch, r)
	case <-ctx.Done():
		return nil
	}
	enough := time.NewTimer(linger)
	defer enough.Stop()
	for len(batch) < mostInBatch {
		select {
		case r := <-requests:
			batch = append(batch, r)
		case <-enough.C:
			return batch
		}
	}
	return batch
}
