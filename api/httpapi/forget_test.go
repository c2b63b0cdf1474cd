package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestForget: after every change of stock the count in Redis is gone, also after a repeated one, whose
// first sender may have died before that.
func TestForget(t *testing.T) {
	s := newShop(t)
	for name, do := range map[string]func() *httptest.ResponseRecorder{
		"PUT": func() *httptest.ResponseRecorder {
			return s.put("mug", `{"on_hand":50}`, s.get("/v1/stock/mug").Header().Get("ETag"))
		},
		"receipt": func() *httptest.ResponseRecorder { return s.receive("mug", `{"quantity":1,"reference":"r"}`) },
		"repeat": func() *httptest.ResponseRecorder {
			s.receive("mug", `{"quantity":1,"reference":"r2"}`)
			s.load("mug")
			return s.receive("mug", `{"quantity":1,"reference":"r2"}`)
		},
	} {
		s.redis.FlushAll()
		s.load("mug")
		if w := do(); w.Code >= 300 {
			t.Errorf("%s answered %d %s", name, w.Code, w.Body)
		}
		if s.loaded("mug") {
			t.Errorf("%s left the count in Redis", name)
		}
	}
}

// TestForgetWhileAway: a change stands although Redis is away, and its count is not trusted when Redis is back.
func TestForgetWhileAway(t *testing.T) {
	s := newShop(t)
	s.load("mug")
	s.redis.SetError("LOADING Redis is loading the dataset in memory")
	document[stockDoc](t, s.receive("mug", `{"quantity":1,"reference":"r"}`), http.StatusCreated)
	s.redis.SetError("")
	for deadline := time.Now().Add(10 * time.Second); s.front.Ping(t.Context()) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the front does not see that Redis is back")
		}
	}
	if s.loaded("mug") {
		t.Error("the count from before is trusted")
	}
	s.load("mug")
	if counts, err := s.front.Counts(t.Context(), []string{"mug"}); err != nil || counts["mug"] != 100 {
		t.Errorf("the count is %v, %v", counts, err)
	}
}

// TestForgetAfterHangUp: a client who is gone does not stop what follows from his change.
func TestForgetAfterHangUp(t *testing.T) {
	s := newShop(t)
	s.load("pen")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.api.forget(ctx, "pen")
	if s.loaded("pen") {
		t.Error("the count is still there")
	}
}

// TestForgetFails: whoever changed the stock hears of success, since it has changed, and whoever reads the log
// hears of the rest.
func TestForgetFails(t *testing.T) {
	s := newShop(t, func(d *Deps) { d.Front = obstinate{d.Front} })
	document[stockDoc](t, s.receive("mug", `{"quantity":1,"reference":"r"}`), http.StatusCreated)
	if len(s.logs.errors()) != 1 {
		t.Errorf("logged %s", s.logs)
	}
}

// obstinate forgets nothing.
type obstinate struct{ Front }

func (obstinate) Forget(context.Context, []string) error {
	return errors.New("neither Redis nor the database")
}
