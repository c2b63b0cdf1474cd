package order

import (
	"strings"
	"time"
)

// Reconciliation is what a reconciliation found and did.
type Reconciliation struct {
	// DryRun: nothing was changed. Healed and Redriven are then 0.
	DryRun bool `json:"dry_run"`

	SKUs     int64 `json:"skus"`            // looked at
	Compared int64 `json:"counts_compared"` // of these, how many were loaded in Redis
	Over     Drift `json:"over"`            // counts that offer more units than there are
	Under    Drift `json:"under"`           // counts that withhold units
	// OtherLimits are counts with another limit for each customer than their row's, whatever their units.
	OtherLimits int64 `json:"other_limits,omitempty"`
	Healed      int64 `json:"healed"` // counts deleted, to be loaded afresh
	// Drifted are the first of the counts that drifted, at most MaxExamples.
	Drifted []DriftedCount `json:"drifted"`

	Unsettled int64 `json:"unsettled"` // orders beyond the grace for which something was owed
	Carried   int64 `json:"carried"`   // of these, how many a running workflow carries, or has just settled
	Uncarried int64 `json:"uncarried"` // and how many nobody carried
	Redriven  int64 `json:"redriven"`  // workflows started for these
	// UncarriedIDs are the oldest of the orders that nobody carried, at most MaxExamples.
	UncarriedIDs []ID `json:"uncarried_ids"`

	Failures     int64    `json:"failures"`      // counts and orders that could not be helped
	FailureWords []string `json:"failure_words"` // why the first of them could not, at most maxWords
	Notes        []string `json:"notes"`         // what was left out, at most maxWords
}

// Drift is how far counts in Redis are off, in one direction.
type Drift struct {
	SKUs  int64 `json:"skus"`
	Units int64 `json:"units"`
}

// DriftedCount is a count in Redis that is off.
type DriftedCount struct {
	SKU       string `json:"sku"`
	Count     int64  `json:"count"`     // units, in Redis
	Available int64  `json:"available"` // units, in the order database
	// OtherLimit: Redis knows another limit for each customer than the order database.
	OtherLimit bool `json:"other_limit,omitempty"`
}

const (
	// MaxExamples is as many as a person looks at before he looks for what they have in common.
	MaxExamples = 20
	// maxWords and maxWordsLength keep the whole of it small: it travels with each heartbeat.
	maxWords       = 10
	maxWordsLength = 300 // bytes
)

// AddDrifted adds a count that drifted.
func (r *Reconciliation) AddDrifted(d DriftedCount) {
	units := d.Count - d.Available
	switch {
	case d.OtherLimit:
		r.OtherLimits++
	case units < 0:
		r.Under.SKUs++
		r.Under.Units -= units
	default:
		r.Over.SKUs++
		r.Over.Units += units
	}
	if len(r.Drifted) < MaxExamples {
		r.Drifted = append(r.Drifted, d)
	}
}

// AddUncarried adds an order that nobody carried.
func (r *Reconciliation) AddUncarried(id ID) {
	r.Uncarried++
	if len(r.UncarriedIDs) < MaxExamples {
		r.UncarriedIDs = append(r.UncarriedIDs, id)
	}
}

// AddFailures adds n counts or orders that could not be helped for one reason.
func (r *Reconciliation) AddFailures(n int, why string) {
	r.Failures += int64(n)
	r.FailureWords = addWords(r.FailureWords, why)
}

// AddNote adds what was left out.
func (r *Reconciliation) AddNote(note string) { r.Notes = addWords(r.Notes, note) }

func addWords(all []string, words string) []string {
	if len(all) == maxWords {
		return all
	}
	if len(words) > maxWordsLength {
		words = strings.ToValidUTF8(words[:maxWordsLength], "") + "..."
	}
	return append(all, words)
}

// Clone gives a copy that shares nothing with r. Its lists are not nil.
func (r *Reconciliation) Clone() Reconciliation {
	c := *r
	c.Drifted = append([]DriftedCount{}, r.Drifted...)
	c.UncarriedIDs = append([]ID{}, r.UncarriedIDs...)
	c.FailureWords = append([]string{}, r.FailureWords...)
	c.Notes = append([]string{}, r.Notes...)
	return c
}

// ReconcileProgress is how far a reconciliation has come, and all that it needs to go on from there.
type ReconcileProgress struct {
	Orders OrdersCursor   `json:"orders"`
	Counts CountsCursor   `json:"counts"`
	Found  Reconciliation `json:"found"`
}

// OrdersCursor is how far the unsettled orders were looked through, oldest first.
type OrdersCursor struct {
	// Before bounds them, so that the walk ends while new ones come in. Zero until it begins.
	Before    time.Time `json:"before,omitzero"`
	CreatedAt time.Time `json:"created_at,omitzero"` // of the last order that is done
	ID        ID        `json:"id,omitempty"`
	Done      bool      `json:"done,omitempty"`
}

// CountsCursor is how far the counts were compared, in SKU order.
type CountsCursor struct {
	After string `json:"after,omitempty"` // the last SKU that is done
	Done  bool   `json:"done,omitempty"`
}
