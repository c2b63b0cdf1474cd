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
	pending  bool   // to be approved or declined later, unless it is reversed before
	declined string // why nothing was charged; empty if it was approved
	charged  int64  // minor units, 0 if declined or pending
	reversed bool   // net zero for ever
	changed  time.Time
}

// Kinds of ledger entries, and of the decisions that make them.
const (
	KindCharge   = "charge"
	KindReversal = "reversal"
)

// Kinds of decisions that are no entry by themselves.
const (
	kindPending    = "pending"    // a charge that is decided later
	kindResolution = "resolution" // decides a pending charge; if it approves, the entry is a KindCharge
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

	// onPending is told once of each payment that waits for resolve, under the lock. It must not wait.
	onPending func(payment)
}

func newBook() *book {
	return &book{
		payments: make(map[string]*payment),
		keys:     make(map[string]*payment),
		entries:  []Entry{}, // an empty ledger is answered as [], not as null
		journal:  newJournal(io.Discard),

		onPending: func(payment) {},
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
	for _, p := range b.payments {
		if p.pending {
			b.onPending(*p)
		}
	}
	return nil
}

func (b *book) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.journal.close()
}

// charge decides once for each reference and key. Without a key it decides once for the reference, and
// no repeat is recognised. It fails with errKeyReused, with errCharged, or with the journal's error, after
// which nothing more is answered.
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
	decision := record{Kind: KindCharge, Key: key, charge: asked}
	if decidedLater(asked.PaymentMethod) {
		decision.Kind = kindPending
	} else {
		decision.Declined = declineReason(asked.PaymentMethod)
	}
	written, err := b.record(decision)
	if err != nil {
		return payment{}, written, err
	}
	p := *b.payments[asked.Reference]
	if p.pending {
		b.onPending(p)
	}
	return p, written, nil
}

// resolve decides a pending payment by its method and gives what it is then. It does nothing to any
// other: a reversal that came first keeps the money where it is.
func (b *book) resolve(reference string) (payment, error) {
	p, written, err := b.decideResolution(reference)
	if err := b.journal.commit(written); err != nil {
		return payment{}, err
	}
	return p, err
}

func (b *book) decideResolution(reference string) (payment, *batch, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.payments[reference]
	if !p.pending {
		return *p, b.journal.tail(), nil
	}
	written, err := b.record(record{
		Kind: kindResolution, charge: charge{Reference: reference}, Declined: declineReason(p.asked.PaymentMethod),
	})
	return *p, written, err
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
	// A declined charge stays declined: its net is zero, and no other charge gets the reference. A
	// pending one is reversed before it is charged.
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
	case (r.Kind == KindCharge || r.Kind == kindPending) && !known && b.keys[r.Key] == nil:
		p = &payment{asked: r.charge, pending: true}
		b.payments[r.Reference] = p
		if r.Key != "" {
			b.keys[r.Key] = p
		}
		if r.Kind == KindCharge {
			b.decide(r, p)
		}
	case r.Kind == kindResolution && known && p.pending:
		b.decide(r, p)
	case r.Kind == KindReversal && !known:
		p = &payment{asked: r.charge, reversed: true}
		b.payments[r.Reference] = p
	case r.Kind == KindReversal && !p.reversed && p.declined == "":
		p.pending, p.reversed = false, true
		if p.charged > 0 {
			b.enter(KindReversal, r.At, p)
		}
	default:
		return fmt.Errorf("a %q of %q cannot follow what was decided before", r.Kind, r.Reference)
	}
	p.changed = r.At
	return nil
}

// decide approves or declines.
func (b *book) decide(r record, p *payment) {
	p.pending, p.declined = false, r.Declined
	if p.declined == "" {
		p.charged = p.asked.Amount
		b.enter(KindCharge, r.At, p)
	}
}

func (b *book) enter(kind string, at time.Time, p *payment) {
	b.entries = append(b.entries, Entry{
		Number: int64(len(b.entries)) + 1, Kind: kind, Reference: p.asked.Reference,
		Amount: p.charged, Currency: p.asked.Currency, At: at,
	})
}
