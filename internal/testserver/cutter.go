//go:build unix

package testserver

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Cut is what a cutter does with a connection at a request.
type Cut int

const (
	// Pass carries the request and its answer.
	Pass Cut = iota
	// CutBefore ends the connection before the server has the request.
	CutBefore
	// CutAfter ends it once the server has answered, and before the client learns of that.
	CutAfter
)

// Cutter is a TCP proxy before a server, which cuts connections at requests of its choice.
type Cutter struct {
	// Addr is where it listens.
	Addr string

	listener net.Listener
	server   string
	choose   func(request []byte) Cut
	reset    bool
	cuts     atomic.Int64
}

// NewCutter starts one before the server at an address, and closes it when the test ends. choose is called with what a client
// sends, as it comes from one read: small requests come whole. It may be called by several connections at once. A
// cut with reset is an RST, as a firewall sends, to a client.
func NewCutter(tb testing.TB, server string, reset bool, choose func(request []byte) Cut) *Cutter {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = listener.Close() })
	c := &Cutter{Addr: listener.Addr().String(), listener: listener, server: server, choose: choose, reset: reset}
	go c.serve()
	return c
}

// CutNowAndThen chooses, by a seed, one request in as many as oneIn says, 0 for none, half of them once they took effect. After each it
// leaves the next quiet requests alone that could have been chosen.
func CutNowAndThen(seed uint64, quiet int, oneIn func(request []byte) int) func([]byte) Cut {
	var mu sync.Mutex
	draw, left := rand.New(rand.NewPCG(seed, 0)), 0 //nolint:gosec // a test repeats by its seed
	return func(request []byte) Cut {
		one := oneIn(request)
		if one == 0 {
			return Pass
		}
		mu.Lock()
		defer mu.Unlock()
		if left--; left > 0 || draw.IntN(one) > 0 {
			return Pass
		}
		left = quiet
		return []Cut{CutBefore, CutAfter}[draw.IntN(2)]
	}
}

// Cuts is how often it has cut.
func (c *Cutter) Cuts() int64 { return c.cuts.Load() }

func (c *Cutter) serve() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		go c.carry(client)
	}
}

// carry returns when either side is gone.
func (c *Cutter) carry(client net.Conn) {
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", c.server)
	if err != nil {
		c.end(client)
		return
	}
	defer server.Close()
	var lost atomic.Bool
	go func() {
		passOn(server, client, func([]byte) bool { return !lost.Load() })
		c.end(client)
	}()
	passOn(client, server, func(request []byte) bool {
		cut := c.choose(request)
		if cut != Pass {
			c.cuts.Add(1)
			lost.Store(true)
		}
		return cut != CutBefore
	})
	c.end(client)
}

func (c *Cutter) end(client net.Conn) {
	if tcp, ok := client.(*net.TCPConn); ok && c.reset {
		_ = tcp.SetLinger(0)
	}
	_ = client.Close()
}

// passOn writes to one what it reads from the other, as long as it may.
func passOn(from, to net.Conn, may func([]byte) bool) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil || !may(buffer[:n]) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
