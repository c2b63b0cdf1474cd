package gather_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"holdfast/internal/gather"
)

// store answers one query at a time, when it is let.
type store struct {
	mu      sync.Mutex
	queries [][]int
	entered chan struct{}
	goOn    chan error
}

func newStore() *store {
	return &store{entered: make(chan struct{}, 100), goOn: make(chan error, 100)}
}

// fetch knows the even keys.
func (s *store) fetch(_ context.Context, keys []int) (map[int]string, error) {
	s.mu.Lock()
	s.queries = append(s.queries, keys)
	s.mu.Unlock()
	s.entered <- struct{}{}
	if err := <-s.goOn; err != nil {
		return nil, err
	}
	found := make(map[int]string)
	for _, key := range keys {
		if key%2 == 0 {
			found[key] = "even"
		}
	}
	return found, nil
}

func (s *store) lengths() (lengths []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queries {
		lengths = append(lengths, len(q))
	}
	return lengths
}

func TestLookUpsGatherWhileOneIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		g := gather.New(s.fetch, 1, 4)
		for _, key := range []int{0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 9} {
			go func() {
				v, ok, err := g.Get(t.Context(), key)
				if even := key%2 == 0; err != nil || ok != even || (v == "even") != even {
					t.Errorf("key %d: %q, %v, %v", key, v, ok, err)
				}
			}()
			synctest.Wait()
		}
		for range 4 {
			s.goOn <- nil
		}
		synctest.Wait()
		if got, want := s.lengths(), []int{1, 4, 4, 1}; !slices.Equal(got, want) {
			t.Errorf("queries of %v keys, want %v", got, want)
		}
	})
}

func TestAFailureIsThatOfItsOwnQuery(t *testing.T) {
	t.Parallel()
	s := newStore()
	g := gather.New(s.fetch, 1, 4)
	failed := errors.New("connection lost")
	s.goOn <- failed
	if _, ok, err := g.Get(t.Context(), 2); ok || !errors.Is(err, failed) {
		t.Errorf("got %v, %v", ok, err)
	}
	s.goOn <- nil
	if _, ok, err := g.Get(t.Context(), 2); !ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
}

// TestWhoLeavesLeavesTheOthersTheirAnswer also if he began the query.
func TestWhoLeavesLeavesTheOthersTheirAnswer(t *testing.T) {
	t.Parallel()
	s := newStore()
	g := gather.New(s.fetch, 1, 4)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, _, err := g.Get(ctx, 2)
		left <- err
	}()
	<-s.entered
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("whoever left got %v", err)
	}
	s.goOn <- nil
	s.goOn <- nil
	if v, ok, err := g.Get(t.Context(), 4); !ok || v != "even" || err != nil {
		t.Errorf("got %q, %v, %v", v, ok, err)
	}
}

// TestWhatNobodyWaitsForAnyMoreIsNotAsked.
func TestWhatNobodyWaitsForAnyMoreIsNotAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		g := gather.New(s.fetch, 1, 4)
		ctx, leave := context.WithCancel(t.Context())
		go func() { _, _, _ = g.Get(t.Context(), 0) }()
		synctest.Wait()
		for key := range 10 {
			go func() { _, _, _ = g.Get(ctx, key) }()
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		s.goOn <- nil
		synctest.Wait()
		if got := s.lengths(); !slices.Equal(got, []int{1}) {
			t.Errorf("queries of %v keys", got)
		}
		s.goOn <- nil
		if _, ok, err := g.Get(t.Context(), 2); !ok || err != nil {
			t.Errorf("afterwards: %v, %v", ok, err)
		}
	})
}

func TestAPanicIsAFailureOfItsQuery(t *testing.T) {
	t.Parallel()
	g := gather.New(func(context.Context, []int) (map[int]int, error) { panic("a bug") }, 1, 4)
	for range 2 {
		if _, _, err := g.Get(t.Context(), 1); err == nil {
			t.Error("no failure")
		}
	}
}
