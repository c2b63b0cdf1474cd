// Package sandbox is a warehouse to try holdfast against: a real HTTP server that keeps each order it was given, once, and refuses loudly
// what comes twice. It can be told to fail. It is somebody else's system, and shares no code with its client; the product
// never links it.
package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// RejectedSKU is how a SKU begins that this warehouse does not have on its shelves: it rejects orders with a line of one.
const RejectedSKU = "unshippable"

// Limits of a request.
const (
	maxBody   = 8 << 20 // bytes
	maxOrders = 10_000  // on a manifest
	maxPage   = 1000    // arrivals that are given at once
)

// Config configures a sandbox.
type Config struct {
	// Addr is where it listens, HOST:PORT.
	Addr string
	// Journal is a file that keeps what arrived, so that it outlives a kill; empty keeps it in memory.
	Journal string
}

// Server is a sandbox.
type Server struct {
	cfg      Config
	http     *http.Server
	listener net.Listener
	journal  *os.File // nil without one

	mu        sync.Mutex
	manifests map[string]kept // by idempotency key
	arrivals  []arrival
	arrived   map[string]string // the page that an order came with
	fault     fault
}

// kept is a manifest that was answered.
type kept struct {
	text   json.RawMessage // as it came
	answer json.RawMessage
}

type manifest struct {
	HandOff string   `json:"hand_off"`
	Page    int      `json:"page"`
	Cutoff  string   `json:"cutoff"`
	Orders  []parcel `json:"orders"`
}

type parcel struct {
	ID         string `json:"order_id"`
	CustomerID string `json:"customer_id"`
	Lines      []line `json:"lines"`
}

type line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

type arrival struct {
	Number  int64  `json:"number"`
	ID      string `json:"order_id"`
	HandOff string `json:"hand_off"`
	Page    int    `json:"page"`
}

type rejection struct {
	ID     string `json:"order_id"`
	Reason string `json:"reason"`
}

// record is a line of the journal.
type record struct {
	Key      string          `json:"key"`
	Manifest json.RawMessage `json:"manifest"`
}

// New makes a sandbox; Start serves it.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, manifests: make(map[string]kept), arrived: make(map[string]string)}
	mux := http.NewServeMux()
	mux.Handle("POST /v1/manifests", s.failing(s.postManifest))
	mux.Handle("GET /v1/arrivals", s.failing(s.getArrivals))
	mux.HandleFunc("PUT /v1/admin/faults", s.putFault)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	return s
}

// Start reads the journal and begins to serve.
func (s *Server) Start(ctx context.Context) (err error) {
	if s.cfg.Journal != "" {
		if err := s.openJournal(); err != nil {
			return fmt.Errorf("warehouse's journal: %w", err)
		}
	}
	if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Addr); err != nil {
		return errors.Join(err, s.closeJournal())
	}
	go func() { _ = s.http.Serve(s.listener) }()
	return nil
}

// Stop answers what is under way and ends.
func (s *Server) Stop(ctx context.Context) error {
	return errors.Join(s.http.Shutdown(ctx), s.closeJournal())
}

// URL is where it serves, once started.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

func (s *Server) closeJournal() error {
	if s.journal == nil {
		return nil
	}
	return s.journal.Close()
}

// openJournal takes up what arrived before. A last line that a kill tore was never answered, and is cut off.
func (s *Server) openJournal() (err error) {
	s.journal, err = os.OpenFile(s.cfg.Journal, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	lines := bufio.NewReader(s.journal)
	for end := int64(0); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return s.journal.Truncate(end)
		}
		if err != nil {
			return err
		}
		end += int64(len(line))
		var r record
		var m manifest
		if err := errors.Join(json.Unmarshal(line, &r), json.Unmarshal(r.Manifest, &m)); err != nil {
			return err
		}
		s.keep(r.Key, r.Manifest, m)
	}
}

// postManifest takes a manifest once: the same under the same key is answered as before, another under it is an error, and so is
// an order that came with another page.
func (s *Server) postManifest(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	text, m, err := readManifest(w, r)
	if err == nil && (key == "" || len(key) > 255) {
		err = errors.New("Idempotency-Key must be 1 to 255 characters")
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, known := s.manifests[key]; known {
		if !bytes.Equal(before.text, text) {
			refuse(w, http.StatusUnprocessableEntity, "another manifest came under this key")
			return
		}
		answer(w, before.answer)
		return
	}
	for _, o := range m.Orders {
		if page, twice := s.arrived[o.ID]; twice {
			refuse(w, http.StatusConflict, fmt.Sprintf("DUPLICATE: order %s is here already, it came with page %s", o.ID, page))
			return
		}
	}
	if err := s.write(key, text); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, s.keep(key, text, m))
}

// readManifest reads a manifest, and gives its text as well, compacted, so that two of them can be compared.
func readManifest(w http.ResponseWriter, r *http.Request) (json.RawMessage, manifest, error) {
	var m manifest
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, m, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return nil, m, fmt.Errorf("body: %w", err)
	}
	if m.HandOff == "" || m.Page < 1 || len(m.Orders) == 0 || len(m.Orders) > maxOrders {
		return nil, m, fmt.Errorf("a manifest has a hand_off, a page from 1, and 1 to %d orders", maxOrders)
	}
	seen := make(map[string]bool, len(m.Orders))
	for _, o := range m.Orders {
		if o.ID == "" || len(o.ID) > 64 || seen[o.ID] || len(o.Lines) == 0 {
			return nil, m, fmt.Errorf("order %q has no id, too long a one, one that stands there twice, or no lines", o.ID)
		}
		seen[o.ID] = true
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, m, err
	}
	return compact.Bytes(), m, nil
}

// write hands a manifest to the kernel, which outlives the process, before it is answered.
func (s *Server) write(key string, text json.RawMessage) error {
	if s.journal == nil {
		return nil
	}
	line, err := json.Marshal(record{key, text})
	if err == nil {
		_, err = s.journal.Write(append(line, '\n'))
	}
	return err
}

// keep takes the orders in, but for those that are rejected, and gives the answer.
func (s *Server) keep(key string, text json.RawMessage, m manifest) json.RawMessage {
	rejected := []rejection{}
	for _, o := range m.Orders {
		if at := slices.IndexFunc(o.Lines, func(l line) bool { return strings.HasPrefix(l.SKU, RejectedSKU) }); at >= 0 {
			rejected = append(rejected, rejection{o.ID, o.Lines[at].SKU + " is not on our shelves"})
			continue
		}
		s.arrived[o.ID] = fmt.Sprintf("%s:%d", m.HandOff, m.Page)
		s.arrivals = append(s.arrivals, arrival{int64(len(s.arrivals)) + 1, o.ID, m.HandOff, m.Page})
	}
	receipt, _ := json.Marshal(map[string]any{"rejected": rejected}) //nolint:errchkjson // strings
	s.manifests[key] = kept{text, receipt}
	return receipt
}

func (s *Server) getArrivals(w http.ResponseWriter, r *http.Request) {
	after, limit := 0, maxPage
	var err error
	if text := r.URL.Query().Get("after"); text != "" {
		after, err = strconv.Atoi(text)
	}
	if text := r.URL.Query().Get("limit"); err == nil && text != "" {
		limit, err = strconv.Atoi(text)
	}
	if err != nil || after < 0 || limit < 1 || limit > maxPage {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("after must be an arrival's number, or 0, and limit 1 to %d", maxPage))
		return
	}
	s.mu.Lock()
	all := s.arrivals
	s.mu.Unlock()
	after = min(after, len(all))
	page, next := all[after:min(after+limit, len(all))], 0
	if after+len(page) < len(all) {
		next = after + len(page)
	}
	text, _ := json.Marshal(map[string]any{"arrivals": append([]arrival{}, page...), "next": next}) //nolint:errchkjson // strings and numbers
	answer(w, text)
}

func refuse(w http.ResponseWriter, status int, words string) {
	text, _ := json.Marshal(map[string]string{"error": words}) //nolint:errchkjson // a string
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

func answer(w http.ResponseWriter, text json.RawMessage) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}
