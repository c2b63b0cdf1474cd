package order

import (
	"strings"
	"unicode/utf8"
)

// Answer is what a person says to an order that needs one.
type Answer string

// The answers.
const (
	// Retry has the step that has no answer tried again at once.
	Retry Answer = "retry"
	// Charged settles the order by hand: the person has seen that the customer was charged the total, once.
	Charged Answer = "charged"
	// NotCharged settles the order by hand: the person has seen to it that the customer's net charge is zero, and
	// stays so.
	NotCharged Answer = "not_charged"
)

// ByHand tells whether the person takes it upon himself what is true of the charge.
func (a Answer) ByHand() bool { return a == Charged || a == NotCharged }

// Resolution is a person's answer, with why he gives it. An answer by hand needs the note, which is kept on the
// order's row.
type Resolution struct {
	Answer Answer `json:"answer"`
	Note   string `json:"note"`
}

// MaxNote is the longest note, in characters.
const MaxNote = 512

// Validate returns a *ValidationError that names each wrong field.
func (r Resolution) Validate() error {
	var problems []Problem
	if r.Answer != Retry && !r.Answer.ByHand() {
		problems = append(problems, Problem{Field: "answer", Message: "must be retry, charged or not_charged"})
	}
	switch {
	case !utf8.ValidString(r.Note) || utf8.RuneCountInString(r.Note) > MaxNote:
		problems = append(problems, Problem{Field: "note", Message: "must be at most 512 characters of UTF-8"})
	case r.Answer.ByHand() && strings.TrimSpace(r.Note) == "":
		problems = append(problems, Problem{Field: "note", Message: "must say how the person knows"})
	}
	if len(problems) > 0 {
		return &ValidationError{Problems: problems}
	}
	return nil
}

// Resolving asks Resolve to keep an answer by hand on the order's row.
type Resolving struct {
	Key        Key        `json:"key"`
	Resolution Resolution `json:"resolution"`
}
