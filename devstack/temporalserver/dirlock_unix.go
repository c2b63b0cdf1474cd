//go:build unix

package temporalserver

import (
	"errors"
	"os"
	"syscall"
)

// lockFile holds for as long as the file is open, against other processes and against this one.
func lockFile(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrDirInUse
	}
	return err
}
