//go:build unix

package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast/internal/child"
)

const (
	// readyTimeout bounds a start. A start takes about a second; the rest is for machines that compile
	// something large at the same time.
	readyTimeout = 60 * time.Second
	// readyInterval is short because every test that needs a server waits for it.
	readyInterval = 5 * time.Millisecond
	// stopTimeout is how long Stop waits for a graceful end before it kills.
	stopTimeout = 10 * time.Second
	// startAttempts covers a port that another process took between the probe and the server's own bind.
	startAttempts = 5
)

var (
	// ErrNotFound says that a server program is not installed on this machine.
	ErrNotFound = errors.New("not found")
	// ErrNotRunning is the answer to a signal for a server that has ended.
	ErrNotRunning = errors.New("not running")

	errEnded = errors.New("ended at once")
)

// Server is one server process, which keeps its port and directory through Kill and Restart.
// Its methods may be called from several goroutines.
type Server struct {
	name string // the program, for messages
	addr string
	dir  string
	// command builds the process anew for each start.
	command func(ctx context.Context, addr string) *exec.Cmd
	// ready is nil once the process with this id, and no other that may hold the port, serves at addr.
	ready func(ctx context.Context, addr string, pid int) error

	restarting sync.Mutex // held through Restart, so that two never bind the same port

	mu   sync.Mutex
	proc *child.Process // the latest; never nil once the server was started
}

// Addr is the server's HOST:PORT on the loopback interface. It never changes.
func (s *Server) Addr() string { return s.addr }

// Dir is the directory that holds the server's data and its log. It is the caller's to remove.
func (s *Server) Dir() string { return s.dir }

// LogFile is the path of the file that takes the server's output, across restarts.
func (s *Server) LogFile() string { return filepath.Join(s.dir, s.name+".log") }

// Pid is the process id, or 0 if the server is not running.
func (s *Server) Pid() int {
	p := s.current()
	if p.Ended() {
		return 0
	}
	return p.Pid()
}

// Stop ends the server gracefully and kills it if that takes longer than ten seconds. It returns once the
// process is gone. A paused server is resumed to be stopped; one that has ended stays as it is.
func (s *Server) Stop() {
	_ = s.current().Stop(stopTimeout) // how it ended is of no interest, only that it is gone
}

// Kill ends the server with SIGKILL and returns once the process is gone. It may be paused, or gone already.
func (s *Server) Kill() { s.current().Kill() }

// Pause freezes the server with SIGSTOP: connections stay open and nothing answers. It returns once every
// thread has stopped. The error is ErrNotRunning if the server has ended.
func (s *Server) Pause() error { return s.running(s.current().Pause()) }

// Resume lets a paused server go on. The error is ErrNotRunning if the server has ended.
func (s *Server) Resume() error { return s.running(s.current().Signal(syscall.SIGCONT)) }

// Restart starts the server again on its port and directory, after Stop if it still runs. It returns once the
// server answers; ctx bounds only that wait.
func (s *Server) Restart(ctx context.Context) error {
	s.restarting.Lock()
	defer s.restarting.Unlock()
	s.Stop()
	return s.start(ctx)
}

// running names the server in the error of a signal that found it gone.
func (s *Server) running(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", s.name, ErrNotRunning)
	}
	return err
}

func (s *Server) current() *child.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// launch starts the server for the first time, on a port that it chooses.
func (s *Server) launch(ctx context.Context) (*Server, error) {
	var err error
	for range startAttempts {
		if s.addr, err = child.FreeAddr(ctx); err != nil {
			return nil, err
		}
		if err = s.start(ctx); err == nil {
			return s, nil
		}
		if ctx.Err() != nil || !strings.Contains(strings.ToLower(err.Error()), "address already in use") {
			break
		}
	}
	return nil, err
}

// start runs the process and waits until it serves. On an error nothing is left running.
func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()

	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor

	// The process outlives the wait for it, so it must not end with ctx.
	cmd := s.command(context.WithoutCancel(ctx), s.addr)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := child.Start(cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.mu.Lock()
	s.proc = p
	s.mu.Unlock()

	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		err := s.ready(ctx, s.addr, p.Pid())
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("start %s: %w, its log ends with:\n%s", s.name, errors.Join(errEnded, p.Err()), s.logTail())
		case <-ctx.Done():
			p.Kill()
			return fmt.Errorf("start %s: not ready (%w), last answer: %w, its log ends with:\n%s",
				s.name, context.Cause(ctx), err, s.logTail())
		case <-tick.C:
		}
	}
}

// logTail is the end of the server's log, for messages.
func (s *Server) logTail() string {
	const tail = 2000 // bytes: a screenful
	b, err := os.ReadFile(s.LogFile())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-tail):])
}

// lookUp finds a program in PATH or where distributions put daemons. The error is ErrNotFound.
func lookUp(program string) (string, error) {
	for _, name := range places(program) {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s %w", program, ErrNotFound)
}

// places are where a program may be: the directories of daemons are often not in a user's PATH.
func places(program string) []string {
	return []string{program, "/usr/sbin/" + program, "/usr/local/sbin/" + program}
}
