package temporalserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrDirInUse means that a server is running over the directory. Two of them would take each other's
// shards away without end.
var ErrDirInUse = errors.New("another Temporal server is running over this directory")

// dirLock keeps a directory to one server. The system drops it with the process, so that a kill -9 leaves
// nothing to clean up; the file itself stays and means nothing.
type dirLock struct{ file *os.File }

// lockDir fails with ErrDirInUse.
func lockDir(dir string) (*dirLock, error) {
	file, err := os.OpenFile(filepath.Join(dir, "temporal.lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the directory is the caller's
	if err != nil {
		return nil, fmt.Errorf("temporal server: %w", err)
	}
	if err := lockFile(file); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("temporal server: %s: %w", dir, err)
	}
	return &dirLock{file: file}, nil
}

func (l *dirLock) release() { _ = l.file.Close() }
