// Package gather answers many look-ups that come at the same time with few queries: while one is under way, the next
// gathers whoever asks. It knows nothing of holdfast; any package may import it.
package gather

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// Fetch looks up all keys at once. Keys that do not exist are absent from its answer.
type Fetch[K comparable, V any] func(ctx context.Context, keys []K) (map[K]V, error)

// Group gathers look-ups. It may be used from many goroutines.
type Group[K comparable, V any] struct {
	fetch  Fetch[K, V]
	atOnce int // queries under way
	most   int // keys in one query

	mu      sync.Mutex
	running int
	next    []*round[K, V] // that gather, the oldest first; only the last one takes more
}

// round is one query with those who wait for it.
type round[K comparable, V any] struct {
	keys    []K
	asked   map[K]struct{}
	waiting int // callers
	done    chan struct{}
	found   map[K]V
	err     error
}

// New makes a group with so many queries at once, of at most so many keys; both are at least 1.
func New[K comparable, V any](fetch Fetch[K, V], atOnce, most int) *Group[K, V] {
	return &Group[K, V]{fetch: fetch, atOnce: atOnce, most: most}
}

// Get looks a key up. What it answers was read after the call. ok is false if the key does not exist. If ctx ends, the query
// goes on for the others, and does not begin if there are none.
func (g *Group[K, V]) Get(ctx context.Context, key K) (v V, ok bool, err error) {
	r := g.join(ctx, key)
	select {
	case <-r.done:
	case <-ctx.Done():
		g.leave(r)
		return v, false, ctx.Err()
	}
	v, ok = r.found[key]
	return v, ok, r.err
}

func (g *Group[K, V]) join(ctx context.Context, key K) *round[K, V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.next) == 0 || len(g.next[len(g.next)-1].keys) == g.most {
		g.next = append(g.next, &round[K, V]{asked: make(map[K]struct{}), done: make(chan struct{})})
	}
	r := g.next[len(g.next)-1]
	r.waiting++
	if _, twice := r.asked[key]; !twice {
		r.asked[key] = struct{}{}
		r.keys = append(r.keys, key)
	}
	if g.running < g.atOnce {
		g.running++
		// Whoever asked first may leave before the others have their answer.
		go g.run(context.WithoutCancel(ctx))
	}
	return r
}

func (g *Group[K, V]) leave(r *round[K, V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.waiting--
}

// run runs rounds for as long as there are any.
func (g *Group[K, V]) run(ctx context.Context) {
	for {
		r := g.take()
		if r == nil {
			return
		}
		g.ask(ctx, r)
	}
}

// take gives the next round that somebody waits for, nil if there is none.
func (g *Group[K, V]) take() *round[K, V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.next) > 0 {
		r := g.next[0]
		g.next = g.next[1:]
		if r.waiting > 0 {
			return r
		}
	}
	g.running--
	return nil
}

func (g *Group[K, V]) ask(ctx context.Context, r *round[K, V]) {
	defer close(r.done)
	defer func() {
		if p := recover(); p != nil {
			r.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	r.found, r.err = g.fetch(ctx, r.keys)
}
