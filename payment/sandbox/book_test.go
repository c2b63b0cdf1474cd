package sandbox

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// failingAfter is a disk that is full after so many writes.
type failingAfter struct{ writes int }

var errFull = errors.New("no space left")

func (f *failingAfter) Write(b []byte) (int, error) {
	if f.writes == 0 {
		return len(b) / 2, errFull
	}
	f.writes--
	return len(b), nil
}

// TestNothingIsAnsweredAfterTheJournalFailed: a decision that is not on disk must not be told, by
// nobody, and a later one would stand behind half a line.
func TestNothingIsAnsweredAfterTheJournalFailed(t *testing.T) {
	t.Parallel()
	b := newBook()
	b.journal = newJournal(&failingAfter{writes: 2})
	if _, err := b.charge("k0", charge{Reference: "r0", Amount: 1, Currency: "EUR", PaymentMethod: TokenAsync}); err != nil {
		t.Fatal(err)
	}
	asked := charge{Reference: "r1", Amount: 1, Currency: "EUR", PaymentMethod: TokenOK}
	if _, err := b.charge("k1", asked); err != nil {
		t.Fatal(err)
	}
	other := asked
	other.Reference = "r2"
	if _, err := b.charge("k2", other); !errors.Is(err, errFull) {
		t.Fatalf("got %v", err)
	}
	for name, ask := range map[string]func() error{
		"a pending payment":     func() error { _, err := b.resolve("r0"); return err },
		"its repeat":            func() error { _, err := b.charge("k2", other); return err },
		"its reversal":          func() error { _, err := b.reverse("r2"); return err },
		"its look-up":           func() error { _, _, err := b.find("r2"); return err },
		"the ledger":            func() error { _, _, err := b.page(0, 10); return err },
		"its key, reused":       func() error { _, err := b.charge("k2", asked); return err },
		"its reference, reused": func() error { _, err := b.charge("k3", other); return err },
	} {
		if err := ask(); !errors.Is(err, errFull) {
			t.Errorf("%s gave %v", name, err)
		}
	}
}

// TestChargeAndReversalAtOnce runs many of both for the same references straight on the book. Whatever
// comes first, a charge that is approved after the reversal has returned must not exist.
func TestChargeAndReversalAtOnce(t *testing.T) {
	t.Parallel()
	b := newBook()
	var group sync.WaitGroup
	for n := range 500 {
		asked := charge{Reference: strconv.Itoa(n), Amount: 7, Currency: "EUR", PaymentMethod: TokenOK}
		for range 2 {
			group.Go(func() {
				if _, err := b.charge("k"+asked.Reference, asked); err != nil {
					t.Error(err)
				}
			})
			group.Go(func() {
				if p, err := b.reverse(asked.Reference); err != nil || !p.reversed {
					t.Errorf("got %+v, %v", p, err)
				}
				if p, err := b.charge("k"+asked.Reference, asked); err != nil || !p.reversed {
					t.Errorf("after the reversal the charge gave %+v, %v", p, err)
				}
			})
		}
	}
	group.Wait()
	entries, _, err := b.page(0, 5000)
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]string)
	for _, e := range entries {
		kinds[e.Reference] += e.Kind + " "
	}
	for reference, got := range kinds {
		if got != "charge reversal " {
			t.Errorf("%s has the entries %s", reference, got)
		}
	}
}

// TestResolutionAndReversalAtOnce runs both for the same pending payments straight on the book: either
// the money moved and went back, or it never moved.
func TestResolutionAndReversalAtOnce(t *testing.T) {
	t.Parallel()
	const payments = 2000
	b := newBook()
	var group sync.WaitGroup
	for n := range payments {
		asked := charge{Reference: strconv.Itoa(n), Amount: 7, Currency: "EUR", PaymentMethod: TokenAsync}
		if p, err := b.charge("k"+asked.Reference, asked); err != nil || !p.pending {
			t.Fatalf("got %+v, %v", p, err)
		}
		for range 2 {
			group.Go(func() {
				if p, err := b.resolve(asked.Reference); err != nil || p.pending {
					t.Errorf("got %+v, %v", p, err)
				}
			})
			group.Go(func() {
				if p, err := b.reverse(asked.Reference); err != nil || !p.reversed || p.pending {
					t.Errorf("got %+v, %v", p, err)
				}
				if p, err := b.resolve(asked.Reference); err != nil || !p.reversed {
					t.Errorf("after the reversal it became %+v, %v", p, err)
				}
			})
		}
	}
	group.Wait()
	kinds := make(map[string]string)
	for _, e := range b.entries {
		kinds[e.Reference] += e.Kind + " "
	}
	for reference, got := range kinds {
		if got != "charge reversal " {
			t.Errorf("%s has the entries %s", reference, got)
		}
	}
	t.Logf("%d approved first, %d reversed first", len(kinds), payments-len(kinds))
}

// BenchmarkBook takes decisions without HTTP: what the one lock and the journal's writes allow.
func BenchmarkBook(b *testing.B) {
	book := newBook()
	if err := book.open(filepath.Join(b.TempDir(), "journal"), slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = book.close() })
	var n atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			reference := fmt.Sprintf("ord_%026d", n.Add(1))
			asked := charge{Reference: reference, Amount: 1999, Currency: "EUR", PaymentMethod: TokenOK}
			if _, err := book.charge("charge:"+reference, asked); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "charges/s")
}
