package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// server is an HTTP server that is started and stopped, and says if it fails in between.
type server struct {
	http     *http.Server
	address  string
	listener net.Listener
	fail     func(error)
}

func newServer(address string, handler http.Handler, log *slog.Logger, fail func(error)) *server {
	s := &server{
		address: address,
		http: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 5 * time.Second,
			// A body is 64 KiB at most; who needs longer for it only holds a connection.
			ReadTimeout: 15 * time.Second,
			// The longest answer is a POST that waits 30 s for its order, or an audit.
			WriteTimeout:   5 * time.Minute,
			IdleTimeout:    2 * time.Minute,
			MaxHeaderBytes: 16 << 10,
			ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn), // it would print
		},
		fail: fail,
	}
	silent := new(silentConns)
	s.http.ConnState = silent.track
	s.http.RegisterOnShutdown(silent.close)
	return s
}

// silentConns are connections over which nothing was asked yet. Clients open some in reserve, and Shutdown would wait
// five seconds for a request on each.
type silentConns struct{ conns sync.Map }

func (s *silentConns) track(c net.Conn, state http.ConnState) {
	if state == http.StateNew {
		s.conns.Store(c, nil)
	} else {
		s.conns.Delete(c)
	}
}

func (s *silentConns) close() {
	s.conns.Range(func(c, _ any) bool {
		if conn, ok := c.(net.Conn); ok {
			_ = conn.Close() // nothing was read from it, so that whoever wrote may send it elsewhere
		}
		return true
	})
}

// start listens and serves. An address in use is an error.
func (s *server) start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.address, err)
	}
	s.listener = listener
	go func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.fail(fmt.Errorf("serve %s: %w", s.address, err))
		}
	}()
	return nil
}

// stop lets requests under way end, until ctx ends.
func (s *server) stop(ctx context.Context) error {
	if s.listener == nil {
		return nil
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stop serving %s: %w", s.address, err), s.http.Close())
	}
	return err
}

// addr is the address as bound, "" before start.
func (s *server) addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}
