package paymenttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
)

// nobody is a base URL at which nothing listens: port 1 needs privileges and has no service.
const nobody = "http://127.0.0.1:1"

// network is what lies between an adapter and its provider. It passes on what it is given, unless a fault
// is on.
type network struct {
	provider  string // its base URL
	keyHeader string
	server    *httptest.Server
	client    *http.Client
	closing   chan struct{} // closed when the case is over: nothing is held any longer

	mu      sync.Mutex
	fault   fault // nil for none
	reads   bool  // the fault meets requests that only read as well
	answers []reply
	read    int       // requests that only read and were answered by the provider
	sent    []message // those that may move money, as they came
}

// message is a request that was read to its end.
type message struct {
	method, uri string
	header      http.Header
	body        []byte
}

// moves tells a request that may move money from one that only reads.
func (m message) moves() bool { return m.method != http.MethodGet && m.method != http.MethodHead }

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// A fault carries out an exchange in its own way. It must answer or cut.
type fault func(x exchange)

// exchange is one request on its way.
type exchange struct {
	*network

	w   http.ResponseWriter
	ctx context.Context //nolint:containedctx // the request's, which ends when the adapter leaves
	message
}

func newNetwork(provider, keyHeader string) *network {
	n := &network{
		provider: provider, keyHeader: keyHeader, closing: make(chan struct{}),
		// A connection for each request: no repeat of the transport's own hides what an adapter did.
		client: &http.Client{
			Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	n.server = httptest.NewServer(n)
	return n
}

func (n *network) close() {
	close(n.closing)
	n.server.CloseClientConnections()
	n.server.Close()
}

// breakMoves lets the fault meet every request that may move money, until the network is mended.
func (n *network) breakMoves(f fault) { n.set(f, false) }

// breakAll lets the fault meet every request.
func (n *network) breakAll(f fault) { n.set(f, true) }

func (n *network) mend() { n.set(nil, false) }

func (n *network) set(f fault, reads bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fault, n.reads = f, reads
}

// ServeHTTP meets one request of an adapter.
func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the adapter left in the middle of its request
	}
	x := exchange{
		network: n, w: w, ctx: r.Context(),
		message: message{method: r.Method, uri: r.URL.RequestURI(), header: r.Header.Clone(), body: body},
	}
	n.mu.Lock()
	f := n.fault
	if x.moves() {
		n.sent = append(n.sent, x.message)
	} else if !n.reads {
		f = nil
	}
	n.mu.Unlock()
	if f == nil {
		f = pass
	}
	f(x)
}

// deliver brings a message to the provider, whether or not its sender still waits.
func (n *network) deliver(m message) (reply, error) {
	request, err := http.NewRequestWithContext(context.Background(), m.method, n.provider+m.uri, bytes.NewReader(m.body))
	if err != nil {
		return reply{}, err
	}
	request.Header = m.header.Clone()
	response, err := n.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	a := reply{status: response.StatusCode, header: response.Header, body: body}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers = append(n.answers, a)
	if !m.moves() {
		n.read++
	}
	return a, nil
}

// readsAnswered counts the requests that only read and that the provider answered.
func (n *network) readsAnswered() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.read
}

// lastSent is the newest message that may move money, false if there was none since the start.
func (n *network) lastSent() (message, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.sent) == 0 {
		return message{}, false
	}
	return n.sent[len(n.sent)-1], true
}

// takeAnswers gives what the provider answered since it was last asked, oldest first.
func (n *network) takeAnswers() []reply {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := n.answers
	n.answers = nil
	return taken
}

// reach has the provider act. If that fails, the adapter's connection is cut.
func (x exchange) reach() reply {
	a, err := x.deliver(x.message)
	if err != nil {
		x.cut()
	}
	return a
}

// give answers the adapter.
func (x exchange) give(a reply) {
	for name, values := range a.header {
		if name != "Content-Length" && name != "Connection" && name != "Date" {
			x.w.Header()[name] = values
		}
	}
	x.w.WriteHeader(a.status)
	_, _ = x.w.Write(a.body) // the adapter may be gone
}

// cut ends the connection without an answer.
func (exchange) cut() { panic(http.ErrAbortHandler) }

// raw takes the connection from the server, to say what no HTTP server would, and ends it. With reset
// nothing said is sure to arrive.
func (x exchange) raw(text string, reset bool) {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		x.cut()
	}
	_, _ = io.WriteString(conn, text) // the adapter may be gone
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0) // without it the end is an orderly one, which is a fault as well
	}
	_ = conn.Close()
}

// held is a request, or its answer, that the network keeps.
type held struct {
	arrived chan struct{} // closed when it is there
	release chan struct{} // closed by letGo
	done    chan struct{} // closed when the provider has acted
}

// hold keeps the next request that may move money, and no other, until it is let go. With acted it is not
// the request but its answer.
func (n *network) hold(acted bool) *held {
	h := &held{arrived: make(chan struct{}), release: make(chan struct{}), done: make(chan struct{})}
	n.breakMoves(func(x exchange) {
		n.mend()
		var a reply
		if acted {
			a = x.reach()
		}
		close(h.arrived)
		select {
		case <-h.release:
		case <-n.closing:
			x.cut()
		}
		if !acted {
			a = x.reach()
		}
		close(h.done)
		x.give(a)
	})
	return h
}

// letGo lets it go on, and returns when the provider has acted.
func (h *held) letGo(ctx context.Context) error {
	close(h.release)
	return wait(ctx, h.done)
}

func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("nothing happened: " + ctx.Err().Error())
	}
}
