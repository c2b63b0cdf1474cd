package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// MaxPage is the most ledger entries that one answer holds.
const MaxPage = 1000

// chargeAnswer is the answer of POST /v1/charges.
type chargeAnswer struct {
	Reference string `json:"reference"`
	Status    string `json:"status"`
	Reason    string `json:"reason,omitempty"` // of a decline
	Amount    int64  `json:"amount"`           // as asked
	Currency  string `json:"currency"`
}

// paymentAnswer is the answer of GET /v1/payments/{reference} and of POST /v1/reversals.
type paymentAnswer struct {
	Reference string `json:"reference"`
	Status    string `json:"status"`
	Reason    string `json:"reason,omitempty"`
	Charged   int64  `json:"charged"`  // minor units
	Reversed  int64  `json:"reversed"` // minor units
	Currency  string `json:"currency"` // empty if it was reversed before any charge
}

// ledgerAnswer is the answer of GET /v1/ledger.
type ledgerAnswer struct {
	Entries []Entry `json:"entries"`
	Next    int64   `json:"next"` // the after of the next page, 0 if this is the last one
}

type errorAnswer struct {
	Error string `json:"error"`
}

// Statuses of a payment.
const (
	statusPending  = "pending"
	statusApproved = "approved"
	statusDeclined = "declined"
	statusReversed = "reversed"
)

func (s *Server) routes() http.Handler {
	provider := http.NewServeMux()
	provider.HandleFunc("POST /v1/charges", s.postCharge)
	provider.HandleFunc("POST /v1/reversals", s.postReversal)
	provider.HandleFunc("GET /v1/payments/{reference}", s.getPayment)
	provider.HandleFunc("GET /v1/ledger", s.getLedger)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("PUT /v1/admin/faults", s.putFaults)
	mux.HandleFunc("GET /v1/admin/faults", s.getFaults)
	mux.Handle("/", s.withFaults(provider))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.invalid != nil:
			answer(w, http.StatusServiceUnavailable, errorAnswer{s.invalid.Error()})
			return
		case !s.ready.Load():
			answer(w, http.StatusServiceUnavailable, errorAnswer{"the journal is not open"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) postCharge(w http.ResponseWriter, r *http.Request) {
	key, asked, err := readCharge(w, r)
	if err != nil {
		refuse(w, err)
		return
	}
	if s.attempts.faulty(TokenError, asked) {
		answer(w, http.StatusInternalServerError, errorAnswer{"simulated: nothing was charged"})
		return
	}
	if s.faults.current().Mode == ModeForgetful {
		key = ""
	}
	p, err := s.book.charge(key, asked)
	if err != nil {
		refuse(w, err)
		return
	}
	if s.attempts.faulty(TokenLost, asked) {
		cut(w)
	}
	if asked.PaymentMethod == TokenSlow {
		s.dawdle(r, s.cfg.SlowAnswer)
	}
	answer(w, http.StatusOK, p.chargeAnswer())
}

// postReversal needs no memory of its key: a reversal repeats by its reference.
func (s *Server) postReversal(w http.ResponseWriter, r *http.Request) {
	reference, err := readReversal(w, r)
	if err != nil {
		refuse(w, err)
		return
	}
	p, err := s.book.reverse(reference)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, p.answer())
}

func (s *Server) getPayment(w http.ResponseWriter, r *http.Request) {
	reference := r.PathValue("reference")
	if err := checkReference(reference); err != nil {
		refuse(w, err)
		return
	}
	p, known, err := s.book.find(reference)
	switch {
	case err != nil:
		refuse(w, err)
	case !known:
		answer(w, http.StatusNotFound, errorAnswer{"no payment has this reference"})
	default:
		answer(w, http.StatusOK, p.answer())
	}
}

func (s *Server) getLedger(w http.ResponseWriter, r *http.Request) {
	after, limit, err := readPage(r)
	if err != nil {
		refuse(w, err)
		return
	}
	entries, more, err := s.book.page(after, limit)
	if err != nil {
		refuse(w, err)
		return
	}
	page := ledgerAnswer{Entries: entries}
	if more {
		page.Next = entries[len(entries)-1].Number
	}
	answer(w, http.StatusOK, page)
}

// chargeAnswer says declined of money that is no longer there, also when the charge itself was
// approved: a repeat must never make its sender believe in money that went back.
func (p payment) chargeAnswer() chargeAnswer {
	a := chargeAnswer{Reference: p.asked.Reference, Status: statusApproved, Amount: p.asked.Amount, Currency: p.asked.Currency}
	switch {
	case p.pending:
		a.Status = statusPending
	case p.reversed:
		a.Status, a.Reason = statusDeclined, ReasonReversed
	case p.declined != "":
		a.Status, a.Reason = statusDeclined, p.declined
	}
	return a
}

func (p payment) answer() paymentAnswer {
	a := paymentAnswer{Reference: p.asked.Reference, Status: statusApproved, Charged: p.charged, Currency: p.asked.Currency}
	switch {
	case p.pending:
		a.Status = statusPending
	case p.reversed:
		a.Status, a.Reason, a.Reversed = statusReversed, ReasonReversed, p.charged
	case p.declined != "":
		a.Status, a.Reason = statusDeclined, p.declined
	}
	return a
}

// dawdle keeps the answer back. The money has moved already.
func (s *Server) dawdle(r *http.Request, delay time.Duration) {
	late := time.NewTimer(delay)
	defer late.Stop()
	select {
	case <-late.C:
	case <-r.Context().Done():
	case <-s.stopping:
	}
}

// cut ends the connection behind the head of the answer. Without the head, an HTTP client that holds an
// Idempotency-Key may quietly send the request again on another connection, and the loss would not be
// seen.
func cut(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "100")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush() // it fails if the connection is gone, which is the aim
	panic(http.ErrAbortHandler)
}

// refuse answers what went wrong. An error without a status of its own is the journal's.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, errBadInput):
		status = http.StatusBadRequest
	case errors.Is(err, errKeyReused):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, errCharged):
		status = http.StatusConflict
	}
	answer(w, status, errorAnswer{err.Error()})
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client is gone if it fails; what was decided stays decided
}
