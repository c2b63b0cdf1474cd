// Package sandbox is a payment provider of our own for development, demonstrations and tests: a real
// HTTP server that decides charges by their payment method, keeps a ledger of every movement of money
// and loses nothing it answered, also when it is killed. It knows nothing of orders beyond their
// references and imports only the standard library. devstack, its program and tests may import it; the
// product never does.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultSlowAnswer is how late TokenSlow is answered: longer than any sensible client waits.
const DefaultSlowAnswer = 10 * time.Second

// Config says where a Server listens and what it remembers.
type Config struct {
	// Addr is the HOST:PORT to listen on. Port 0 takes a free one. Only Start needs it.
	Addr string
	// Journal is the file that holds every decision; it is made if it is absent, its directory is not.
	// One server at a time may use it. Empty keeps the ledger in memory.
	Journal string
	// SlowAnswer is how late TokenSlow is answered. 0 means DefaultSlowAnswer.
	SlowAnswer time.Duration
	// AsyncDelay is how long TokenAsync and TokenAsyncDeclined are pending. 0 means DefaultAsyncDelay.
	AsyncDelay time.Duration
	// WebhookURL is told what became of each payment that was pending, as Event describes. Empty tells
	// nobody before SetWebhookURL.
	WebhookURL string
	// WebhookSecret signs what is sent to WebhookURL, which needs one: "whsec_" and 24 to 64 bytes in
	// base64, as Standard Webhooks writes it.
	WebhookSecret string
	// Logger may be nil, which is slog's default one.
	Logger *slog.Logger
}

// Server is the provider. Its methods may be called from any goroutine.
type Server struct {
	cfg      Config
	book     *book
	attempts attempts
	faults   faults
	webhooks *webhooks // nil for none
	errands  *errands  // what resolves pending payments and sends webhooks
	handler  http.Handler
	invalid  error       // what is wrong with cfg; nothing is answered but that
	ready    atomic.Bool // the book holds what the journal says

	mu       sync.Mutex // guards what follows
	http     *http.Server
	listener net.Listener  // nil before Start
	served   chan struct{} // closed when http has stopped serving
	stopping chan struct{} // closed by the first Stop: late answers are given at once
	stopped  bool
}

// New makes a provider that does nothing yet. Without a Journal its Handler is ready at once, with one
// it is after Start. What is wrong with cfg is the error of Start, and of every answer of the Handler.
func New(cfg Config) *Server {
	if cfg.SlowAnswer == 0 {
		cfg.SlowAnswer = DefaultSlowAnswer
	}
	if cfg.AsyncDelay == 0 {
		cfg.AsyncDelay = DefaultAsyncDelay
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Server{
		cfg: cfg, book: newBook(), errands: newErrands(),
		served: make(chan struct{}), stopping: make(chan struct{}),
	}
	s.book.onPending = s.resolveLater
	s.webhooks, s.invalid = newWebhooks(cfg)
	s.handler = s.routes()
	s.ready.Store(cfg.Journal == "")
	return s
}

// Handler is the provider without its listener, for httptest. With a Journal it answers 503 until Start.
func (s *Server) Handler() http.Handler { return s.handler }

// Start takes the address, reads the journal and serves until Stop; ending ctx later does not stop it.
// If the port is in use, the error wraps that of net.Listen and the journal was not touched. A journal
// that cannot be understood is an error too: guessing would move money. Start may be called once.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil || s.stopped {
		return errors.New("payment sandbox: Start was called before")
	}
	if s.invalid != nil {
		return fmt.Errorf("payment sandbox: %w", s.invalid)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("payment sandbox: %w", err)
	}
	if s.cfg.Journal != "" {
		if err := s.book.open(s.cfg.Journal, s.cfg.Logger); err != nil {
			_ = listener.Close() // nothing was accepted
			return fmt.Errorf("payment sandbox: %w", err)
		}
		s.ready.Store(true)
	}
	s.listener = listener
	s.http = &http.Server{
		Handler: s.handler,
		// No ReadTimeout and no WriteTimeout: they would cut what is answered late on purpose.
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn),
	}
	go s.serve()
	return nil
}

func (s *Server) serve() {
	defer close(s.served)
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.cfg.Logger.Error("payment sandbox stopped serving", "error", err)
	}
}

// Stop takes no more requests, answers those it has, late ones at once, gives up what is pending and
// every webhook, and closes the journal. If ctx ends first, it cuts what is left and returns the
// context's error. Stopping again, or without Start, is harmless.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	s.stopped = true
	close(s.stopping)
	if s.listener == nil {
		s.errands.stop()
		s.webhooks.close()
		return nil
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-s.served
	s.errands.stop() // after the last charge was answered, and before the journal closes
	s.webhooks.close()
	s.ready.Store(false)
	if err = errors.Join(err, s.book.close()); err != nil {
		return fmt.Errorf("stop payment sandbox: %w", err)
	}
	return nil
}

// Addr is the HOST:PORT that Start took; empty before.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// SetWebhookURL takes the place of Config.WebhookURL, for a receiver that starts after the provider. It
// needs Config.WebhookSecret. Events that are unsent go there too.
func (s *Server) SetWebhookURL(receiver string) error {
	if s.webhooks == nil {
		return errors.New("payment sandbox: there is no webhook secret")
	}
	return s.webhooks.setURL(receiver)
}

// URL is the base of every path, for clients on this machine; empty before Start.
func (s *Server) URL() string {
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		return ""
	}
	if net.ParseIP(host).IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
