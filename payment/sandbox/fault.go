package sandbox

import (
	"net/http"
	"sync"
	"time"
)

// Mode is a way for the whole provider to be ill, for tests of failures that need no special build.
type Mode string

const (
	// ModeNone is a provider that is well.
	ModeNone Mode = "none"
	// ModeSlow carries out every request at once and answers it late.
	ModeSlow Mode = "slow"
	// ModeDown cuts every connection before its request is looked at.
	ModeDown Mode = "down"
	// ModeLossy carries out every request and cuts the connection in the middle of its answer.
	ModeLossy Mode = "lossy"
	// ModeForgetful neither looks at an Idempotency-Key nor keeps it, so that it recognises no repeat: a
	// charge of a reference that has one is the 409 of another key, and stays so afterwards if the charge
	// itself was made in this mode.
	ModeForgetful Mode = "forgetful"
)

// Limits of Faults: a forgotten fault is over within the hour, and no answer is later than a client may
// wait before it looks dead.
const (
	maxFaultSeconds = 3600
	maxFaultDelayMS = 60_000
)

// Faults is the body of PUT /v1/admin/faults, its answer, and the answer of GET. A PUT takes the place of
// the one before; another mode than ModeNone ends by itself, and with the process. Pending payments are
// decided and webhooks are sent in every mode: only requests meet it, and those of /v1/admin do not.
type Faults struct {
	Mode Mode `json:"mode"`
	// Seconds is how long the mode lasts, 1 to 3600; in an answer what is left, rounded up. 0 with
	// ModeNone.
	Seconds int `json:"seconds"`
	// DelayMS is how late an answer is in ModeSlow, 1 to 60000 milliseconds. 0 with any other mode.
	DelayMS int `json:"delay_ms"`
}

func (f Faults) check() error {
	switch f.Mode {
	case ModeNone, ModeSlow, ModeDown, ModeLossy, ModeForgetful:
	default:
		return badInput("mode must be %s, %s, %s, %s or %s", ModeNone, ModeSlow, ModeDown, ModeLossy, ModeForgetful)
	}
	switch {
	case f.Mode == ModeNone && f.Seconds != 0:
		return badInput("seconds is for another mode than %s", ModeNone)
	case f.Mode != ModeNone && (f.Seconds < 1 || f.Seconds > maxFaultSeconds):
		return badInput("seconds must be 1 to %d", maxFaultSeconds)
	case f.Mode != ModeSlow && f.DelayMS != 0:
		return badInput("delay_ms is for mode %s", ModeSlow)
	case f.Mode == ModeSlow && (f.DelayMS < 1 || f.DelayMS > maxFaultDelayMS):
		return badInput("delay_ms must be 1 to %d", maxFaultDelayMS)
	}
	return nil
}

// faults keeps the one that is on.
type faults struct {
	mu    sync.Mutex
	set   Faults
	until time.Time // zero before the first
}

func (f *faults) put(set Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set, f.until = set, time.Now().Add(time.Duration(set.Seconds)*time.Second)
}

// current is the one that is on now, with the seconds that are left.
func (f *faults) current() Faults {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := time.Until(f.until)
	if left <= 0 {
		return Faults{Mode: ModeNone}
	}
	now := f.set
	now.Seconds = int((left + time.Second - 1) / time.Second)
	return now
}

func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) {
	var asked Faults
	err := decode(w, r, &asked)
	if err == nil {
		err = asked.check()
	}
	if err != nil {
		refuse(w, err)
		return
	}
	s.faults.put(asked)
	s.cfg.Logger.InfoContext(r.Context(), "payment sandbox was told to fail", "mode", asked.Mode, "seconds", asked.Seconds, "delay_ms", asked.DelayMS)
	s.getFaults(w, r)
}

func (s *Server) getFaults(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, s.faults.current())
}

// withFaults lets requests meet the fault that is on when they come. ModeForgetful is postCharge's.
func (s *Server) withFaults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := s.faults.current()
		switch now.Mode {
		case ModeDown:
			// Without a head, unlike cut: a client that quietly sends the request again meets the same.
			panic(http.ErrAbortHandler)
		case ModeSlow:
			w = lateWriter{ResponseWriter: w, wait: func() { s.dawdle(r, time.Duration(now.DelayMS)*time.Millisecond) }}
		case ModeLossy:
			w = lossyWriter{w}
		case ModeNone, ModeForgetful:
		}
		next.ServeHTTP(w, r)
	})
}

// lateWriter waits before the head of the answer, when all is decided.
type lateWriter struct {
	http.ResponseWriter

	wait func()
}

func (l lateWriter) WriteHeader(status int) {
	l.wait()
	l.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (l lateWriter) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// lossyWriter cuts the answer, when all is decided.
type lossyWriter struct{ http.ResponseWriter }

func (l lossyWriter) WriteHeader(int) { cut(l.ResponseWriter) }
