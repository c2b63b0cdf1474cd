package child

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent has the kernel kill the child when its parent dies, however that dies. The child gets a process
// group of its own, so that Ctrl-C reaches only the parent, which stops its children in its own order.
//
// The kernel forgets the signal if the child changes its user.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// waitStopped returns once SIGSTOP has taken effect in every thread of the child, or the child has ended.
func waitStopped(pid int) error {
	for {
		// WNOWAIT: the child stays to be reaped by Start.
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err == nil, errors.Is(err, unix.ECHILD): // ECHILD: ended and reaped
			return nil
		default:
			return fmt.Errorf("wait for process %d to stop: %w", pid, err)
		}
	}
}
