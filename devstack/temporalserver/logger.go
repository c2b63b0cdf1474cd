package temporalserver

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// logger hands the server's errors to slog. Of everything else that the server says, and of the same error
// said over and over, nothing helps someone who looks at the product.
type logger struct {
	state *logState // shared by all that With made
	tags  []tag.Tag
}

type logState struct {
	out *slog.Logger
	// open is set while the server serves. While it starts and stops, its parts call each other in vain, and
	// each call is reported as an error.
	open  atomic.Bool
	fatal atomic.Pointer[string]

	mu     sync.Mutex
	passed map[string]time.Time // by message, of which the server has a fixed number
}

// repeatAfter is often enough to see that something goes on, and leaves a terminal readable: a server that
// is overloaded logs the same error hundreds of times a second.
const repeatAfter = 10 * time.Second

// newLogger writes to stderr if out is nil.
func newLogger(out *slog.Logger) *logger {
	if out == nil {
		out = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return &logger{state: &logState{
		out:    out.With("component", "temporal"),
		passed: map[string]time.Time{},
	}}
}

// serving says whether errors are worth to be seen.
func (l *logger) serving(yes bool) { l.state.open.Store(yes) }

// fatal is what the server died of while it started, or "".
func (l *logger) fatal() string {
	if msg := l.state.fatal.Load(); msg != nil {
		return *msg
	}
	return ""
}

// With implements log.WithLogger.
func (l *logger) With(tags ...tag.Tag) log.Logger {
	return &logger{state: l.state, tags: slices.Concat(l.tags, tags)}
}

// Debug drops the message.
func (l *logger) Debug(string, ...tag.Tag) {}

// Info drops the message.
func (l *logger) Info(string, ...tag.Tag) {}

// Warn drops the message.
func (l *logger) Warn(string, ...tag.Tag) {}

// Error passes the message on, unless a caller only went away or it has just been passed on.
func (l *logger) Error(msg string, tags ...tag.Tag) {
	if cause := cause(tags); strings.Contains(cause, context.Canceled.Error()) || !l.state.admit(msg) {
		return
	}
	var attrs []any
	for _, t := range slices.Concat(l.tags, tags) {
		attrs = append(attrs, slog.Any(t.Key(), t.Value()))
	}
	l.state.out.Error(msg, attrs...) //nolint:sloglint // the text is the server's
}

// DPanic reports what the server's authors want to see crash in their own tests only.
func (l *logger) DPanic(msg string, tags ...tag.Tag) { l.Error(msg, tags...) }

// Panic is an error after which the server expects not to go on.
func (l *logger) Panic(msg string, tags ...tag.Tag) {
	l.Error(msg, tags...)
	panic(msg)
}

// Fatal ends the goroutine where the server would have ended the process, which is not its to end. The
// server calls it only from its start, above all when a port was taken; startCore makes an error of it.
func (l *logger) Fatal(msg string, tags ...tag.Tag) {
	if cause := cause(tags); cause != "" {
		msg += ": " + cause
	}
	l.state.fatal.CompareAndSwap(nil, &msg)
	runtime.Goexit()
}

// admit says whether an error is to be passed on now.
func (s *logState) admit(msg string) bool {
	if !s.open.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if last, ok := s.passed[msg]; ok && now.Sub(last) < repeatAfter {
		return false
	}
	s.passed[msg] = now
	return true
}

// cause is the text of the error among the tags, or "".
func cause(tags []tag.Tag) string {
	for _, t := range tags {
		if t.Key() == "error" {
			return fmt.Sprint(t.Value())
		}
	}
	return ""
}
