package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/payment/sandbox"
)

// TestPortInUse: the plain error of net.Listen, and the journal is not even made.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	journal := filepath.Join(t.TempDir(), "journal")
	provider := sandbox.New(sandbox.Config{Addr: taken.Addr().String(), Journal: journal, Logger: quiet()})
	err = provider.Start(t.Context())
	if opErr := (*net.OpError)(nil); !errors.As(err, &opErr) || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(journal); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the journal was touched: %v", err)
	}
	if provider.Addr() != "" || provider.URL() != "" {
		t.Errorf("it claims to be at %s", provider.URL())
	}
	if err := provider.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestStop frees the port, twice without harm, and a stopped provider does not start again.
func TestStop(t *testing.T) {
	t.Parallel()
	provider := sandbox.New(sandbox.Config{Addr: ":0", Logger: quiet()})
	ctx, cancel := context.WithCancel(t.Context())
	if err := provider.Start(ctx); err != nil {
		t.Fatal(err)
	}
	cancel() // which must not stop it
	a := api{t: t, url: provider.URL()}
	a.want(a.charge("k", "r", 1, sandbox.TokenOK), "approved", "")
	if err := provider.Start(t.Context()); err == nil {
		t.Error("it started twice")
	}
	http.DefaultClient.CloseIdleConnections()
	for range 2 {
		if err := provider.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := ask(t.Context(), http.MethodGet, a.url+"/v1/ledger", "", ""); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
	if err := provider.Start(t.Context()); err == nil {
		t.Error("it started after Stop")
	}
}

// TestStopGivesLateAnswersAtOnce instead of waiting for them or cutting them.
func TestStopGivesLateAnswersAtOnce(t *testing.T) {
	t.Parallel()
	provider := sandbox.New(sandbox.Config{Addr: "127.0.0.1:0", SlowAnswer: time.Hour, Logger: quiet()})
	if err := provider.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := api{t: t, url: provider.URL()}
	var group sync.WaitGroup
	group.Go(func() {
		got, err := ask(t.Context(), http.MethodPost, a.url+"/v1/charges", "k", chargeBody("r", 1, sandbox.TokenSlow))
		if err != nil || got.Status != "approved" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	for decided := false; !decided; {
		decided = a.find("r").code == http.StatusOK
	}
	http.DefaultClient.CloseIdleConnections()
	if err := provider.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	group.Wait()
}

// TestStopCutsWhatIsLeft when its time is over: a client that never ends its request must not hold it.
func TestStopCutsWhatIsLeft(t *testing.T) {
	t.Parallel()
	provider := sandbox.New(sandbox.Config{Addr: "127.0.0.1:0", Logger: quiet()})
	if err := provider.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", provider.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const half = "POST /v1/charges HTTP/1.1\r\nHost: p\r\nIdempotency-Key: k\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
	if _, err := conn.Write([]byte(half)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 100)); err != nil { // the handler asks for the body
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := provider.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if rest, err := io.ReadAll(conn); err == nil && bytes.Contains(rest, []byte("approved")) {
		t.Errorf("got %q", rest)
	}
}

// TestHandlerBeforeStart: no decision may be taken beside the journal.
func TestHandlerBeforeStart(t *testing.T) {
	t.Parallel()
	a := newAPI(t, sandbox.Config{Journal: filepath.Join(t.TempDir(), "journal"), Logger: quiet()})
	if got := a.charge("k", "r", 1, sandbox.TokenOK); got.code != http.StatusServiceUnavailable || got.Error == "" {
		t.Errorf("got %+v", got)
	}
}
