package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// record is one line of the journal: one decision.
type record struct {
	Kind string `json:"kind"`
	charge
	Key      string    `json:"key,omitempty"`      // of a charge; empty if it was not kept
	Declined string    `json:"declined,omitempty"` // why; empty if the money moved
	At       time.Time `json:"at"`
}

// journal appends decisions to a file. Whoever needs a line written first writes, with one call, all
// the lines that gathered while the write before was under way; the others wait for that.
//
// It does not fsync: what was handed to the kernel outlives the process however that dies, and the
// power of a developer's machine is not what the sandbox is there to survive.
type journal struct {
	writing sync.Mutex // held for a write; guards out and failed
	out     io.Writer
	failed  error // the first error, for ever after: what follows a half-written line is unreadable

	mu     sync.Mutex // guards newest and the lines and seal of every batch
	newest *batch     // never nil
}

// batch is the lines of one write.
type batch struct {
	lines  []byte
	sealed bool // being written, takes no more lines
	once   sync.Once
	err    error // set once written
}

func newJournal(out io.Writer) *journal { return &journal{out: out, newest: new(batch)} }

// append adds a line to the newest batch. The caller holds the book's lock, so that lines stand in the
// order of the decisions.
func (j *journal) append(line []byte) *batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.newest.sealed {
		j.newest = new(batch)
	}
	j.newest.lines = append(j.newest.lines, line...)
	return j.newest
}

// tail is the batch of the newest line. Once it is written, so is every line before.
func (j *journal) tail() *batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.newest
}

// commit returns when the batch is written, or cannot be.
func (j *journal) commit(b *batch) error {
	b.once.Do(func() {
		j.writing.Lock()
		defer j.writing.Unlock()
		j.mu.Lock()
		b.sealed = true // only now, so that lines gather while the batch before is written
		lines := b.lines
		b.lines = nil
		j.mu.Unlock()
		if j.failed == nil && len(lines) > 0 {
			if _, err := j.out.Write(lines); err != nil {
				j.failed = fmt.Errorf("journal: %w", err)
			}
		}
		b.err = j.failed
	})
	return b.err
}

// close closes the file. A decision taken later fails instead of being answered.
func (j *journal) close() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.failed == nil {
		j.failed = fmt.Errorf("journal: %w", os.ErrClosed)
	}
	if closer, ok := j.out.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// openJournal gives every decision in the file to apply, and goes on behind the last one.
func openJournal(path string, log *slog.Logger, apply func(record) error) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600) //nolint:gosec // the path is the configuration's
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := replay(file, log, apply); err != nil {
		_ = file.Close() // it was only read, or the error is about it
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	return newJournal(file), nil
}

// replay reads line by line. A last line without its end was torn by a kill in the middle of the write,
// before anything in it was answered, so it is cut off. Any other line that makes no sense is an error.
func replay(file *os.File, log *slog.Logger, apply func(record) error) error {
	lines := bufio.NewReader(file)
	var end int64
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if len(line) == 0 {
				return nil
			}
			log.Warn("cut off the torn last line of the payment journal", "path", file.Name(), "line", n, "bytes", len(line))
			return file.Truncate(end)
		}
		if err != nil {
			return err
		}
		end += int64(len(line))
		if err := replayLine(line, apply); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
}

func replayLine(line []byte, apply func(record) error) error {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	var r record
	if err := decoder.Decode(&r); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one decision")
	}
	return apply(r)
}
