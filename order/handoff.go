package order

import (
	"fmt"
	"time"
)

// PageKey names a page of a hand-off.
type PageKey struct {
	HandOff string `json:"hand_off"`
	Page    int    `json:"page"` // from 1
}

// String is what the page is called towards the warehouse.
func (k PageKey) String() string { return fmt.Sprintf("%s:%d", k.HandOff, k.Page) }

// PagePlace is a page's place among those that were assigned, the oldest first.
type PagePlace struct {
	PageKey

	AssignedAt time.Time `json:"assigned_at"`
	// Problem: the warehouse did not take it before, as far as is known.
	Problem bool `json:"problem,omitempty"`
}

// Manifest is a page of a hand-off as the warehouse is sent it. The orders of a page are assigned to it once, and stay the same
// however often it is sent.
type Manifest struct {
	PageKey

	Cutoff time.Time `json:"cutoff"` // the orders were placed up to then
	Orders []Parcel  `json:"orders"` // in id order
}

// Parcel is what the warehouse has to know of an order.
type Parcel struct {
	ID         ID           `json:"order_id"`
	CustomerID string       `json:"customer_id"`
	Lines      []ParcelLine `json:"lines"` // in SKU order
}

// ParcelLine is units of a SKU.
type ParcelLine struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// Refusal is an order of a manifest that the warehouse does not take, although it took the others.
type Refusal struct {
	ID     ID     `json:"order_id"`
	Reason string `json:"reason"`
}

// Delivery is what became of a page.
type Delivery struct {
	PageKey

	Orders    int `json:"orders"`     // that are assigned to it; 0 means that there was nothing to hand off
	HandedOff int `json:"handed_off"` // that the warehouse has
	Rejected  int `json:"rejected"`   // that it does not take
	// Refused says why the warehouse takes nothing of the page. It stays to be delivered.
	Refused string `json:"refused,omitempty"`
}

// MaxCounted is up to how many orders a dry run counts: more than a day's, and as many as are counted in the time of one try.
const MaxCounted = 2_000_000

// HandOff is what a hand-off has done so far.
type HandOff struct {
	ID        string    `json:"hand_off"`
	Cutoff    time.Time `json:"cutoff"`
	DryRun    bool      `json:"dry_run"`
	Pages     int       `json:"pages"`      // that the warehouse has answered, those left by hand-offs before included
	Orders    int       `json:"orders"`     // on these pages; in a dry run those that would be, at most MaxCounted
	HandedOff int       `json:"handed_off"` // that the warehouse has
	Rejected  int       `json:"rejected"`   // that it does not take, and a person has to look at
	Refused   []PageKey `json:"refused"`    // pages that it does not take as they are, the first hundred
	Failure   string    `json:"failure"`    // why it did not take the first of these; empty if there are none
}

// maxRefused bounds how many refused pages a hand-off names.
const maxRefused = 100

// Count adds a page.
func (h *HandOff) Count(d Delivery) {
	h.Pages++
	h.Orders += d.Orders
	h.HandedOff += d.HandedOff
	h.Rejected += d.Rejected
	if d.Refused == "" {
		return
	}
	if h.Failure == "" {
		h.Failure = d.Refused
	}
	if len(h.Refused) < maxRefused {
		h.Refused = append(h.Refused, d.PageKey)
	}
}
