package sandbox

import (
	"encoding/json"
	"net/http"
	"time"
)

// Mode is a way for the warehouse to be ill.
type Mode string

// The modes.
const (
	ModeNone Mode = "none"
	// ModeDown cuts every connection before its request is looked at.
	ModeDown Mode = "down"
	// ModeSlow carries out every request at once and answers it late.
	ModeSlow Mode = "slow"
	// ModeLossy carries out every request and cuts the connection instead of answering.
	ModeLossy Mode = "lossy"
	// ModeBroken carries out every request and answers 500.
	ModeBroken Mode = "broken"
	// ModeClosed answers 400 to every manifest, and takes none.
	ModeClosed Mode = "closed"
)

// Faults is the body of PUT /v1/admin/faults. It takes the place of the one before, and ends by itself, and with the process.
type Faults struct {
	Mode Mode `json:"mode"`
	// Seconds is how long the mode lasts, 1 to 3600; 0 with ModeNone.
	Seconds int `json:"seconds"`
	// DelayMS is how late an answer is in ModeSlow, 1 to 60000 milliseconds.
	DelayMS int `json:"delay_ms"`
}

// Limits of Faults.
const (
	maxSeconds = 3600
	maxDelayMS = 60_000
)

func (f Faults) ok() bool {
	switch f.Mode {
	case ModeNone:
		return f.Seconds == 0 && f.DelayMS == 0
	case ModeSlow:
		return f.Seconds >= 1 && f.Seconds <= maxSeconds && f.DelayMS >= 1 && f.DelayMS <= maxDelayMS
	case ModeDown, ModeLossy, ModeBroken, ModeClosed:
		return f.Seconds >= 1 && f.Seconds <= maxSeconds && f.DelayMS == 0
	}
	return false
}

// fault is the one that is on.
type fault struct {
	Faults

	until time.Time
}

func (s *Server) putFault(w http.ResponseWriter, r *http.Request) {
	var asked Faults
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil || !asked.ok() {
		refuse(w, http.StatusBadRequest, "mode must be none, down, slow with delay_ms of 1 to 60000, lossy, broken or closed, with seconds of 1 to 3600 but for none")
		return
	}
	s.mu.Lock()
	s.fault = fault{asked, time.Now().Add(time.Duration(asked.Seconds) * time.Second)}
	s.mu.Unlock()
	answer(w, json.RawMessage(`{}`))
}

// failing lets a request meet the fault that is on when it comes.
func (s *Server) failing(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		f := s.fault
		s.mu.Unlock()
		if time.Now().After(f.until) {
			f.Mode = ModeNone
		}
		switch f.Mode {
		case ModeDown:
			panic(http.ErrAbortHandler)
		case ModeClosed:
			refuse(w, http.StatusBadRequest, "we are closed")
		case ModeLossy, ModeBroken:
			next(&deaf{header: make(http.Header)}, r)
			if f.Mode == ModeLossy {
				panic(http.ErrAbortHandler)
			}
			refuse(w, http.StatusInternalServerError, "something broke")
		case ModeSlow:
			said := &deaf{header: make(http.Header), status: http.StatusOK}
			next(said, r)
			select {
			case <-r.Context().Done():
			case <-time.After(time.Duration(f.DelayMS) * time.Millisecond):
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(said.status)
			_, _ = w.Write(said.text)
		case ModeNone:
			next(w, r)
		}
	})
}

// deaf keeps an answer to itself.
type deaf struct {
	header http.Header
	status int
	text   []byte
}

func (d *deaf) Header() http.Header { return d.header }

func (d *deaf) WriteHeader(status int) { d.status = status }

func (d *deaf) Write(text []byte) (int, error) {
	d.text = append(d.text, text...)
	return len(text), nil
}
