package temporalserver

import (
	"errors"
	"fmt"
	"net"
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

func listen(frontend, ui string) (l listeners, err error) {
	if l.frontend, err = bind("Temporal frontend", frontend); err != nil {
		return l, err
	}
	if ui == "" {
		return l, nil
	}
	if l.ui, err = bind("Temporal Web UI", ui); err != nil {
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

func bind(what, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &AddrInUseError{Addr: addr, What: what}
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return l, nil
}

// local is how a client on this machine reaches a listener, which may have been told to take all addresses.
func local(l net.Listener) string {
	addr := l.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() {
		return net.JoinHostPort(loopback, strconv.Itoa(addr.Port))
	}
	return addr.String()
}

// freePort finds a loopback port for a part of the server that can only be told a number.
func freePort() (int, error) {
	l, err := bind("a part of the Temporal server", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return 0, err
	}
	return letGo(l)
}

// letGo closes a listener so that its port can be bound again by number, yet is not handed out by the
// system to another program, or another test, that asks for just any port. A connection closed from the
// listening side leaves the port in TIME_WAIT for a minute, which has exactly that effect.
func letGo(l net.Listener) (port int, err error) {
	defer l.Close()
	client, err := net.Dial("tcp", local(l))
	if err != nil {
		return 0, fmt.Errorf("reserve %s: %w", l.Addr(), err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		return 0, fmt.Errorf("reserve %s: %w", l.Addr(), err)
	}
	return l.Addr().(*net.TCPAddr).Port, conn.Close()
}
