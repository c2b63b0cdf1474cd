package order

import (
	"errors"
	"fmt"
)

// Class says what a failure means for the same request sent again.
type Class string

// The classes. An error of no class counts as Unknown, which is the careful reading: a cancelled
// context, a worker's shutdown and a lost connection all leave open what happened.
const (
	// Transient: it had no effect, and may succeed later.
	Transient Class = "transient"
	// Final: it had no effect, and never will succeed.
	Final Class = "final"
	// Unknown: whether it had an effect cannot be known yet. Ask again, never conclude.
	Unknown Class = "unknown"
)

// Failure is an error with its class. It crosses process borders as the reason why a step has no
// outcome for an order, so it carries words, not a chain of errors.
//
//nolint:errname // an outcome's failure in the first place, and an error besides
type Failure struct {
	Class   Class  `json:"class"`
	Message string `json:"message"`

	cause error
}

// Failf makes a failure. A %w verb keeps the cause for errors.Is within this process.
func Failf(class Class, format string, args ...any) *Failure {
	err := fmt.Errorf(format, args...)
	return &Failure{Class: class, Message: err.Error(), cause: errors.Unwrap(err)}
}

// Error is the message alone; the class is for programs.
func (f *Failure) Error() string { return f.Message }

// Unwrap gives the cause, nil if the failure came from another process.
func (f *Failure) Unwrap() error { return f.cause }

// AsFailure gives err its class: its own, or Unknown. It returns nil for nil.
func AsFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return &Failure{Class: f.Class, Message: err.Error(), cause: err}
	}
	return Failf(Unknown, "%w", err)
}
