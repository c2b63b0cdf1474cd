//go:build unix

package testserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// scratch is a directory of this process. Unlike a test's own temporary directory it is removed even if the
// process is killed: by the next one that claims a scratch directory under the same root.
type scratch struct {
	dir   string
	owner *os.File // locked for as long as the process lives; the lock tells the living from the dead
}

func scratchRoot() string {
	return filepath.Join(os.TempDir(), "holdfast-testserver-"+strconv.Itoa(os.Getuid()))
}

// claimScratch creates a scratch directory under root and removes those of dead processes.
func claimScratch(root string) (*scratch, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("claim a scratch directory: %w", err)
	}
	// Only one process at a time: a directory that was created and not yet locked would look like a dead one's.
	gate, err := lockFile(filepath.Join(root, "lock"), 0)
	if err != nil {
		return nil, fmt.Errorf("claim a scratch directory: %w", err)
	}
	defer func() { _ = gate.Close() }()
	if err := sweep(root); err != nil {
		return nil, fmt.Errorf("claim a scratch directory: %w", err)
	}
	s := &scratch{}
	if s.dir, err = os.MkdirTemp(root, ""); err == nil {
		s.owner, err = lockFile(filepath.Join(s.dir, "owner"), syscall.LOCK_NB)
	}
	if err != nil {
		return nil, fmt.Errorf("claim a scratch directory: %w", err)
	}
	return s, nil
}

// release removes the directory.
func (s *scratch) release() {
	_ = os.RemoveAll(s.dir) // what stays is swept later
	_ = s.owner.Close()
}

// sweep removes the directories under root whose process has ended.
func sweep(root string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir := filepath.Join(root, e.Name())
		owner, err := lockFile(filepath.Join(dir, "owner"), syscall.LOCK_NB)
		if err != nil {
			continue // its process lives
		}
		_ = os.RemoveAll(dir)
		_ = owner.Close()
	}
	return nil
}

// lockFile opens and locks a file until it is closed or the process ends; children do not inherit the lock.
func lockFile(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|flags)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}
