package payment

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"holdfast/order"
)

// MaxPage is the most ledger entries that one call gives.
const MaxPage = 1000

// Kind is what a ledger entry did.
type Kind string

// The kinds.
const (
	KindCharge   Kind = "charge"
	KindReversal Kind = "reversal"
)

// Entry is one movement of money in the provider's ledger.
type Entry struct {
	Number int64 // rises from entry to entry
	Kind   Kind
	// Reference is the order id for everything that we charged; it may be of any shape otherwise.
	Reference string
	Amount    order.Amount // positive for both kinds
	At        time.Time
}

type entryAnswer struct {
	Number    int64          `json:"number"`
	Kind      Kind           `json:"kind"`
	Reference string         `json:"reference"`
	Amount    int64          `json:"amount"` // minor units
	Currency  order.Currency `json:"currency"`
	At        time.Time      `json:"at"`
}

type ledgerAnswer struct {
	Entries []entryAnswer `json:"entries"`
	Next    int64         `json:"next"`
}

// Ledger gives the entries with a number above after, at most limit, which is 1 to MaxPage. next is the
// after of the following page, or 0 if the ledger ended here when it was asked. Every failure is
// Unknown.
func (c *Client) Ledger(ctx context.Context, after int64, limit int) (entries []Entry, next int64, err error) {
	query := url.Values{"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(limit)}}
	answer, err := call(c, opLedger, "after "+query.Get("after"), func() (ledgerAnswer, error) {
		reply, err := c.exchange(ctx, request{method: http.MethodGet, path: "/v1/ledger?" + query.Encode()})
		if err != nil {
			return ledgerAnswer{}, err
		}
		return readLedger(reply, after, limit)
	})
	if err != nil {
		return nil, 0, err
	}
	entries = make([]Entry, len(answer.Entries))
	for i, e := range answer.Entries {
		entries[i] = Entry{
			Number: e.Number, Kind: e.Kind, Reference: e.Reference,
			Amount: order.Amount{Minor: e.Amount, Currency: e.Currency}, At: e.At,
		}
	}
	return entries, answer.Next, nil
}

// readLedger refuses a page that an audit must not build on: one that leads back or nowhere, or that
// holds an entry it cannot count.
func readLedger(r reply, after int64, limit int) (ledgerAnswer, error) {
	page, err := decode[ledgerAnswer](r)
	if err != nil {
		return ledgerAnswer{}, err
	}
	last := after
	for _, e := range page.Entries {
		if e.Number <= last || e.Amount <= 0 || (e.Kind != KindCharge && e.Kind != KindReversal) {
			return ledgerAnswer{}, fmt.Errorf("%w: entry %d makes no sense after entry %d", r.surprise(), e.Number, last)
		}
		last = e.Number
	}
	if len(page.Entries) > limit || (page.Next != 0 && (page.Next != last || last == after)) {
		return ledgerAnswer{}, fmt.Errorf("%w: more than asked for, or a next page that does not lead on", r.surprise())
	}
	return page, nil
}

// Net is what the provider holds for an order, charged minus reversed, in minor units; 0 if it knows no
// such order. Every failure is Unknown.
func (c *Client) Net(ctx context.Context, id order.ID) (int64, error) {
	return call(c, opNet, string(id), func() (int64, error) {
		found, err := c.find(ctx, id)
		if err != nil || found == nil {
			return 0, err
		}
		return found.net(), nil
	})
}
