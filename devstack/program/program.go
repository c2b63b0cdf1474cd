// Package program runs api and worker as processes of their own, to be killed, stopped and restarted.
// The demo and the tests of devstack import it.
package program

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"holdfast/internal/child"
)

// Program is a process that runs.
type Program struct {
	name string
	addr string
	proc *child.Process
	log  *os.File
}

// Start starts the executable of the given name, which lies beside this one or in dir if that is not
// empty, and returns once it is ready. The environment is env alone; if addr is not empty, that is where it serves, and
// otherwise on a free port. What it logs goes to a file in logs.
func Start(ctx context.Context, dir, name, addr string, env map[string]string, logs string) (_ *Program, err error) {
	if dir == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		dir = filepath.Dir(self)
	}
	if addr == "" {
		if addr, err = child.FreeAddr(ctx); err != nil {
			return nil, err
		}
	}
	p := &Program{name: name, addr: addr}
	p.log, err = os.OpenFile(filepath.Join(logs, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the caller's own directory
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(dir, name)) //nolint:noctx,gosec // the project's own executable, which is ended by signals and not by a context
	cmd.Stdout, cmd.Stderr = p.log, p.log
	for variable, value := range env {
		cmd.Env = append(cmd.Env, variable+"="+value)
	}
	cmd.Env = append(cmd.Env, "HOLDFAST_API_ADDR="+addr, "HOLDFAST_WORKER_ADDR="+addr)
	if p.proc, err = child.Start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := p.ready(ctx); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// URL is where it serves HTTP.
func (p *Program) URL() string { return "http://" + p.addr }

// Pid is the process id.
func (p *Program) Pid() int { return p.proc.Pid() }

// Done is closed once it has ended, for whatever reason.
func (p *Program) Done() <-chan struct{} { return p.proc.Done() }

// Pause stops it in the middle of whatever it does, until Resume.
func (p *Program) Pause() error { return p.proc.Pause() }

// Resume lets it go on after Pause.
func (p *Program) Resume() error { return p.proc.Signal(syscall.SIGCONT) }

// Kill ends it at once, as kill -9 does, and returns once it is gone.
func (p *Program) Kill() {
	p.proc.Kill()
	_ = p.log.Close()
}

// Stop asks it to end, as an operator does, and returns once it is gone.
func (p *Program) Stop() error {
	err := p.proc.Stop(30 * time.Second)
	_ = p.log.Close()
	return err
}

// ready waits until the program serves.
func (p *Program) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL()+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready, see %s: %w", p.name, p.log.Name(), ctx.Err())
		case <-p.proc.Done():
			return fmt.Errorf("%s ended, see %s", p.name, p.log.Name())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
