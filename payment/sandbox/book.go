package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// charge is what a request asks for. A repeat under the same key must ask for exactly the same.
type charge struct {
	Reference     string `json:"reference"`
	Amount        int64  `json:"amount,omitempty"` // minor units
	Currency      string `json:"currency,omitempty"`
	PaymentMethod string `json:"payment_method,omitempty"`
}

// payment is all that was decided for one reference.
type payment struct {
	asked    charge // only the reference is set if it was reversed before any charge
	declined string // why nothing was charged; empty if it was approved
	charged  int64  // minor units, 0 if declined
	reversed bool   // net zero for ever
}

// Kinds of ledger entries.
const (
	KindCharge   = "charge"
	KindReversal = "reversal"
)

// Entry is one movement of money.
type Entry struct {
	Number    int64     `json:"number"` // from 1, without gaps
	Kind      string    `json:"kind"`   // KindCharge or KindReversal
	Reference string    `json:"reference"`
	Amount    int64     `json:"amount"` // minor units, always positive
	Currency  string    `json:"currency"`
	At        time.Time `json:"at"`
}

var (
	errKeyReused = errors.New("the Idempotency-Key was used with other parameters")
	errCharged   = errors.New("the reference has a charge under another Idempotency-Key")
)

// book holds every decision. One lock decides all of them, so that a charge and a reversal of one
// reference can never both win. It is held for three microseconds a charge, where HTTP costs twenty
// times that: shards would gain nothing (BenchmarkBook beside BenchmarkCharges).
//
// No method returns before the journal holds everything that its answer rests on.
type book struct {
	mu       sync.Mutex
	payments map[string]*payment // by reference
	keys     map[string]*payment // by the Idempotency-Key that decided it
	entries  []Entry
	journal  *journal
}

func newBook() *book {
	return &book{
		payments: make(map[string]*payment),
		keys:     make(map[string]*payment),
		entries:  []Entry{}, // an empty ledger is answered as [], not as null
		journal:  newJournal(io.Discard),
	}
}

// open reads the journal back and goes on in it.
func (b *book) open(path string, log *slog.Logger) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	j, err := openJournal(path, log, b.apply)
	if err != nil {
		return err
	}
	b.journal = j
	return nil
}

func (b *book) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.journal.close()
}

// charge decides once for each reference and key. It fails with errKeyReused, with errCharged, or with
// the journal's error, after which nothing more is answered.
func (b *book) charge(key string, asked charge) (payment, error) {
	p, written, err := b.decideCharge(key, asked)
	if err := b.journal.commit(written); err != nil {
		return payment{}, err
	}
	return p, err
}

func (b *book) decideCharge(key string, asked charge) (payment, *batch, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, used := b.keys[key]; used {
		if p.asked != asked {
			return payment{}, b.journal.tail(), errKeyReused
		}
		return *p, b.journal.tail(), nil
	}
	if p, known := b.payments[asked.Reference]; known {
		if p.asked.PaymentMethod == "" {
			// Reversed before any charge. Every charge is declined alike, so none needs a record.
			return payment{asked: asked, reversed: true}, b.journal.tail(), nil
		}
		return payment{}, b.journal.tail(), errCharged
	}
	written, err := b.record(record{Kind: KindCharge, Key: key, charge: asked, Declined: declineReason(asked.PaymentMethod)})
	if err != nil {
		return payment{}, written, err
	}
	return *b.payments[asked.Reference], written, nil
}

// reverse makes the reference's net zero for ever, whether it was ever charged or not. It fails only
// with the journal.
func (b *book) reverse(reference string) (payment, error) {
	p, written, err := b.decideReversal(reference)
	if err := b.journal.commit(written); err != nil {
		return payment{}, err
	}
	return p, err
}

func (b *book) decideReversal(reference string) (payment, *batch, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// A declined charge stays declined: its net is zero, and no other charge gets the reference.
	if p, known := b.payments[reference]; known && (p.reversed || p.declined != "") {
		return *p, b.journal.tail(), nil
	}
	written, err := b.record(record{Kind: KindReversal, charge: charge{Reference: reference}})
	if err != nil {
		return payment{}, written, err
	}
	return *b.payments[reference], written, nil
}

// find gives what was decided for a reference, if anything was.
func (b *book) find(reference string) (p payment, known bool, err error) {
	b.mu.Lock()
	if found, ok := b.payments[reference]; ok {
		p, known = *found, true
	}
	written := b.journal.tail()
	b.mu.Unlock()
	return p, known, b.journal.commit(written)
}

// page gives at most limit entries with a number above after, and whether there are more. The caller
// must not change them.
func (b *book) page(after int64, limit int) (entries []Entry, more bool, err error) {
	b.mu.Lock()
	from := int(min(after, int64(len(b.entries))))
	to := min(from+limit, len(b.entries))
	entries, more = b.entries[from:to:to], to < len(b.entries) // entries are only ever appended
	written := b.journal.tail()
	b.mu.Unlock()
	return entries, more, b.journal.commit(written)
}

// record takes a decision: into the book, and into the batch that the answer must wait for.
func (b *book) record(r record) (*batch, error) {
	r.At = time.Now().UTC()
	line, err := json.Marshal(r)
	if err != nil {
		return b.journal.tail(), err
	}
	if err := b.apply(r); err != nil {
		return b.journal.tail(), err
	}
	return b.journal.append(append(line, '\n')), nil
}

// apply is what a decision does to the book, when it is taken and when it is read back. An error means
// that the decision cannot follow from those before it, and that nothing changed.
func (b *book) apply(r record) error {
	p, known := b.payments[r.Reference]
	switch {
	case r.Reference == "":
		return errors.New("no reference")
	case r.Kind == KindCharge && !known && b.keys[r.Key] == nil:
		p = &payment{asked: r.charge, declined: r.Declined}
		b.payments[r.Reference], b.keys[r.Key] = p, p
		if p.declined == "" {
			p.charged = r.Amount
			b.enter(r, p)
		}
	case r.Kind == KindReversal && !known:
		b.payments[r.Reference] = &payment{asked: r.charge, reversed: true}
	case r.Kind == KindReversal && !p.reversed && p.declined == "":
		p.reversed = true
		b.enter(r, p)
	default:
		return fmt.Errorf("a %q of %q cannot follow what was decided before", r.Kind, r.Reference)
	}
	return nil
}

func (b *book) enter(r record, p *payment) {
	b.entries = append(b.entries, Entry{
		Number: int64(len(b.entries)) + 1, Kind: r.Kind, Reference: r.Reference,
		Amount: p.charged, Currency: p.asked.Currency, At: r.At,
	})
}
