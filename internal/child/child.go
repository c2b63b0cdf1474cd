//go:build unix

// Package child runs processes that cannot outlive this one, for the servers and programs that tests
// and the embedded stack start. Only test helpers and devstack import it.
package child

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a child that is reaped as soon as it ends.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended; read only after done
}

// Start starts cmd so that it dies with this process, in a process group of its own, so that Ctrl-C
// reaches only this process, which stops its children in its own order.
func Start(cmd *exec.Cmd) (*Process, error) {
	dieWithParent(cmd)
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel sends the parent-death signal when the thread that forked ends, not the process.
		// This goroutine keeps its thread until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, <-started
}

// Pid is the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed once the child has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells how the child ended, nil for exit code 0. Call it only after Done.
func (p *Process) Err() error { return p.err }

// Signal sends a signal. A child that has ended takes none, which is no error.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Kill ends the child at once and returns when it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // the only error is that it has ended
	<-p.done
}

// Stop sends the signal that asks the child to end, and kills it if it has not after the patience,
// which is an error. So is an exit code other than 0.
func (p *Process) Stop(s syscall.Signal, patience time.Duration) error {
	p.Signal(s)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.err
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("process %d did not end within %s of %s and was killed", p.Pid(), patience, s)
	}
}
