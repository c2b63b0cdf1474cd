package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// AddrInUseError says that another program listens where the server was told to.
type AddrInUseError struct {
	Addr string // HOST:PORT as configured
	What string // what was to listen there, in words: "Temporal frontend" or "Temporal Web UI"
}

func (e *AddrInUseError) Error() string {
	return fmt.Sprintf("%s: %s is already in use by another program", e.What, e.Addr)
}

// loopback is where the server's parts talk to each other: nothing but the frontend and the Web UI is ever
// reachable from another machine.
const loopback = "127.0.0.1"

// listeners are the addresses of the contract, bound before anything else happens. The frontend's is only
// held until the server binds it itself, since it cannot be handed a socket.
type listeners struct {
	frontend net.Listener
	ui       net.Listener // nil without a Web UI
}

func listen(ctx context.Context, frontend, ui string) (l listeners, err error) {
	if l.frontend, err = bind(ctx, "Temporal frontend", frontend); err != nil {
		return l, err
	}
	if ui == "" {
		return l, nil
	}
	if l.ui, err = bind(ctx, "Temporal Web UI", ui); err != nil {
		l.close()
	}
	return l, err
}

// close is harmless for a listener that is closed already.
func (l listeners) close() {
	_ = l.frontend.Close()
	if l.ui != nil {
		_ = l.ui.Close()
	}
}

func bind(ctx context.Context, what, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &AddrInUseError{Addr: addr, What: what}
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return l, nil
}

// bound is where a TCP listener listens.
func bound(l net.Listener) netip.AddrPort { return netip.MustParseAddrPort(l.Addr().String()) }

// local is how a client on this machine reaches a listener, which may have been told to take all addresses.
func local(l net.Listener) string {
	addr := bound(l)
	if addr.Addr().IsUnspecified() {
		return loopbackAt(int(addr.Port()))
	}
	return addr.String()
}

func loopbackAt(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// freePort finds a loopback port for a part of the server that can only be told a number.
func freePort(ctx context.Context) (int, error) {
	l, err := bind(ctx, "a part of the Temporal server", loopbackAt(0))
	if err != nil {
		return 0, err
	}
	return int(bound(l).Port()), letGo(ctx, l)
}

// letGo closes a listener so that its port can be bound again by number, yet is not handed out by the
// system to another program, or another test, that asks for just any port. A connection closed from the
// listening side leaves the port in TIME_WAIT for a minute, which has exactly that effect.
func letGo(ctx context.Context, l net.Listener) error {
	defer l.Close()
	client, err := new(net.Dialer).DialContext(ctx, "tcp", local(l))
	if err != nil {
		return fmt.Errorf("reserve %s: %w", l.Addr(), err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		return fmt.Errorf("reserve %s: %w", l.Addr(), err)
	}
	return conn.Close()
}
