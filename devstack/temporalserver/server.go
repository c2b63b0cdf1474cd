package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/server/temporal"
)

// Config says where a Server keeps its state, where it listens and what it offers.
type Config struct {
	// Dir holds temporal.db and visibility.db, and a lock while a server runs. It must exist. Whatever
	// was started over the same Dir before goes on, also after a kill -9.
	Dir string
	// Frontend is the HOST:PORT of the gRPC frontend, the address of clients and workers. Port 0 takes
	// a free one.
	Frontend string
	// UI is the HOST:PORT of the Web UI; empty for none. Port 0 takes a free one.
	UI string
	// Namespace is created if Dir does not have it yet.
	Namespace string
	// SearchAttributes are the custom search attributes of Namespace, by name. Those that it lacks are
	// added at every Start, and none is ever removed. May be nil.
	SearchAttributes map[string]enums.IndexedValueType
	// Logger gets the errors that the server meets while it serves, and nothing below that level. Nil writes
	// them to stderr.
	Logger *slog.Logger
}

// Server is a running Temporal server. Its methods may be called from any goroutine.
type Server struct {
	addr   string
	lock   *dirLock
	stores stores
	log    *logger
	core   temporal.Server
	ui     *webUI // nil without a Web UI

	stop sync.Once
}

// Start runs a server and returns once its namespace accepts workflows. Ending ctx later does not stop it;
// Stop does.
//
// It fails with *AddrInUseError if Frontend or UI is taken and with ErrDirInUse if another server runs over
// Dir; in both cases nothing was started. It fails with ErrOtherVersion if Dir was written by a
// server whose files this one cannot read. After any other error the process should end: the server's parts
// have no way to take back a start that failed half-way.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("temporal server: %w", err)
	}
	var undo cleanups
	defer func() {
		if err != nil {
			undo.run()
		}
	}()

	listeners, err := listen(ctx, cfg.Frontend, cfg.UI)
	if err != nil {
		return nil, err
	}
	undo.add(listeners.close)
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	undo.add(lock.release)

	s := &Server{lock: lock, stores: newStores(dir), log: newLogger(cfg.Logger)}
	if err := s.stores.prepare(ctx, cfg.Namespace, cfg.SearchAttributes); err != nil {
		return nil, err
	}
	if err := s.boot(ctx, listeners, cfg.Namespace); err != nil {
		return nil, err
	}
	undo.add(s.stopCore)
	s.log.serving(true)
	if listeners.ui == nil {
		return s, nil
	}
	if s.ui, err = startUI(listeners.ui, s.addr, cfg.Namespace); err != nil {
		return nil, err
	}
	return s, nil
}

func (c Config) validate() error {
	var errs []error
	if info, err := os.Stat(c.Dir); err != nil {
		errs = append(errs, fmt.Errorf("directory: %w", err))
	} else if !info.IsDir() {
		errs = append(errs, fmt.Errorf("directory: %s is a file", c.Dir))
	}
	if c.Namespace == "" {
		errs = append(errs, errors.New("no namespace given"))
	}
	if _, _, err := net.SplitHostPort(c.Frontend); err != nil {
		errs = append(errs, fmt.Errorf("frontend: %w", err))
	}
	if c.UI != "" {
		if _, _, err := net.SplitHostPort(c.UI); err != nil {
			errs = append(errs, fmt.Errorf("web UI: %w", err))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("temporal server: %w", errors.Join(errs...))
}

// Addr is the HOST:PORT at which clients of this machine reach the frontend.
func (s *Server) Addr() string { return s.addr }

// UIURL is the address of the Web UI without a trailing slash, or "" if there is none.
func (s *Server) UIURL() string {
	if s.ui == nil {
		return ""
	}
	return s.ui.url
}

// Stop ends the Web UI, then the server, and leaves whole files that another Start can take over at once.
// Clients and workers should be closed first: calls still open are given a second and then cut off.
// Calling it again waits for the first call and does nothing.
func (s *Server) Stop() {
	s.stop.Do(func() {
		s.log.serving(false)
		if s.ui != nil {
			s.ui.stop()
		}
		s.stopCore()
		s.stores.settle()
		s.lock.release()
	})
}

// stopCore stops the server's services. Their errors are of no use to anyone at that point.
func (s *Server) stopCore() {
	s.log.serving(false)
	_ = s.core.Stop()
}

// cleanups undoes a half-done Start, the newest step first.
type cleanups []func()

func (c *cleanups) add(f func()) { *c = append(*c, f) }

func (c *cleanups) run() {
	for _, f := range slices.Backward(*c) {
		f()
	}
}
