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

// Start starts cmd so that it dies with this process.
func Start(cmd *exec.Cmd) (*Process, error) {
	dieWithParent(cmd)
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel sends the parent-death signal when the thread that forked ends, not the process. This
		// goroutine keeps its thread until the child is gone.
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

// Err tells how the child ended, nil for exit code 0. It waits for that.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Ended tells whether the child has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Signal sends a signal. The error wraps os.ErrProcessDone if the child has ended.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Pause freezes the child with SIGSTOP and returns once every thread has stopped. The error wraps
// os.ErrProcessDone if the child has ended.
func (p *Process) Pause() error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return waitStopped(p.Pid())
}

// Kill ends the child at once and returns when it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // the only error is that it has ended
	<-p.done
}

// Stop asks the child to end and kills it if it has not within the patience, which is an error. So is an
// exit code other than 0. A paused child is resumed to be stopped.
func (p *Process) Stop(patience time.Duration) error {
	_ = p.Signal(syscall.SIGTERM)
	_ = p.Signal(syscall.SIGCONT) // a stopped process sees SIGTERM only after this
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.err
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("process %d did not end within %s of SIGTERM and was killed", p.Pid(), patience)
	}
}
