package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"holdfast/devstack/program"
	"holdfast/internal/child"
	"holdfast/internal/testserver"
)

// running is a process that runs.
type running interface {
	Kill()
	Pause() error
	Resume() error
	Done() <-chan struct{} // closed once it is gone
}

// kept is a process that is started again whenever it is gone, as an operator's supervisor does.
type kept struct {
	name  string
	start func(context.Context) (running, error)
	once  sync.Once

	mu      sync.Mutex
	run     running       // nil until it has started, and while it is down
	up      chan struct{} // closed while it is up
	restAt  time.Time     // not started again before
	deaths  int           // that nobody asked for
	asked   bool          // to die
	lastErr error
}

func newKept(name string, start func(context.Context) (running, error)) *kept {
	return &kept{name: name, start: start, up: make(chan struct{})}
}

// keep runs until the context ends. The process is gone when it returns.
func (k *kept) keep(ctx context.Context) {
	const pauseAfterFailure = 200 * time.Millisecond // a process that cannot start is tried again, not spun
	for ctx.Err() == nil {
		run, err := k.start(ctx)
		if err != nil {
			k.note(err)
			sleep(ctx, pauseAfterFailure)
			continue
		}
		k.began(run)
		select {
		case <-run.Done():
		case <-ctx.Done():
			run.Kill()
		}
		sleep(ctx, k.ended())
	}
}

func (k *kept) note(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lastErr = err
}

func (k *kept) began(run running) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.run, k.lastErr = run, nil
	close(k.up)
}

// ended returns for how long it is to stay down.
func (k *kept) ended() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.asked {
		k.deaths++
	}
	k.run, k.asked, k.up = nil, false, make(chan struct{})
	return time.Until(k.restAt)
}

// current is nil while it is down.
func (k *kept) current() running {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.run
}

// wait returns once it is up.
func (k *kept) wait(ctx context.Context) error {
	k.mu.Lock()
	up := k.up
	k.mu.Unlock()
	select {
	case <-up:
		return nil
	case <-ctx.Done():
		k.mu.Lock()
		defer k.mu.Unlock()
		return fmt.Errorf("%s is not up: %w", k.name, errors.Join(ctx.Err(), k.lastErr))
	}
}

// kill ends it as kill -9 does, and has it started again after the length. It does nothing to one that is down.
func (k *kept) kill(length time.Duration) {
	k.mu.Lock()
	run := k.run
	k.restAt = time.Now().Add(length)
	k.asked = run != nil
	k.mu.Unlock()
	if run != nil {
		run.Kill()
	}
}

// pause stops it for the length, however the run ends.
func (k *kept) pause(ctx context.Context, length time.Duration) {
	run := k.current()
	if run == nil || run.Pause() != nil {
		return // it has just ended
	}
	sleep(ctx, length)
	_ = run.Resume() // it may have ended meanwhile
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// server is a real server. It implements running.
type server struct {
	*testserver.Server

	once sync.Once
	gone chan struct{}
}

func newServer(s *testserver.Server) *server { return &server{Server: s, gone: make(chan struct{})} }

func (s *server) Kill() {
	s.Server.Kill()
	s.once.Do(func() { close(s.gone) })
}

func (s *server) Done() <-chan struct{} { return s.gone }

// keptServer keeps a real server that runs already.
func keptServer(name string, s *testserver.Server) *kept {
	first := true
	return newKept(name, func(ctx context.Context) (running, error) {
		if !first {
			if err := s.Restart(ctx); err != nil {
				return nil, err
			}
		}
		first = false
		return newServer(s), nil
	})
}

// keptProgram keeps an api or a worker at its address.
func keptProgram(kind, name, executables, addr string, env map[string]string, logs string) *kept {
	logs = filepath.Join(logs, name)
	return newKept(name, func(ctx context.Context) (running, error) {
		if err := os.MkdirAll(logs, 0o700); err != nil {
			return nil, err
		}
		return program.Start(ctx, executables, kind, addr, env, logs)
	})
}

// helper is a Temporal server or a provider, run by this executable. It implements running.
type helper struct{ *child.Process }

func (h helper) Resume() error { return h.Signal(syscall.SIGCONT) }

// keptHelper keeps one. ready is nil once it serves.
func keptHelper(name, executable string, args []string, logs string, ready func(context.Context) error) *kept {
	return newKept(name, func(ctx context.Context) (running, error) {
		log, err := os.OpenFile(filepath.Join(logs, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the run's own directory
		if err != nil {
			return nil, err
		}
		defer func() { _ = log.Close() }()       // the child has its own descriptor
		cmd := exec.Command(executable, args...) //nolint:noctx,gosec // this executable, which is ended by signals and not by a context
		cmd.Stdout, cmd.Stderr = log, log
		proc, err := child.Start(cmd)
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", name, err)
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		for ready(ctx) != nil {
			if proc.Ended() || ctx.Err() != nil {
				proc.Kill()
				return nil, fmt.Errorf("%s did not start, see %s", name, log.Name())
			}
			sleep(ctx, 20*time.Millisecond)
		}
		return helper{proc}, nil
	})
}
