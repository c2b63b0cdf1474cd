package httpapi

import (
	"context"
	"fmt"
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

// TestForgetLater: a change stands although Redis is away, and its count goes as soon as Redis is back.
func TestForgetLater(t *testing.T) {
	s := newShop(t)
	s.load("mug")
	s.load("pen")
	s.redis.SetError("LOADING Redis is loading the dataset in memory")
	document[stockDoc](t, s.receive("mug", `{"quantity":1,"reference":"r"}`), http.StatusCreated)
	document[stockDoc](t, s.receive("pen", `{"quantity":1,"reference":"r"}`), http.StatusCreated)
	if len(s.logs.lines("WARN")) != 2 {
		t.Errorf("logged %s", s.logs)
	}
	s.redis.SetError("")
	for deadline := time.Now().Add(10 * time.Second); s.loaded("mug") || s.loaded("pen"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the counts are still there")
		}
	}
	// It goes on working after it had nothing to do.
	s.load("mug")
	s.redis.SetError("LOADING")
	document[stockDoc](t, s.receive("mug", `{"quantity":1,"reference":"r2"}`), http.StatusCreated)
	s.redis.SetError("")
	for deadline := time.Now().Add(10 * time.Second); s.loaded("mug"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the count is still there")
		}
	}
}

// TestForgetAfterHangUp: a client who is gone does not stop what follows from his change.
func TestForgetAfterHangUp(t *testing.T) {
	s := newShop(t)
	s.load("mug")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.api.forgets.forget(ctx, "mug")
	if s.loaded("mug") {
		t.Error("the count is still there")
	}
}

// TestForgetBounded: a Redis that stays away costs a bounded memory, and Close ends the trying.
func TestForgetBounded(t *testing.T) {
	s := newShop(t)
	s.redis.SetError("LOADING")
	for i := range maxPending + 1 {
		s.api.forgets.later(fmt.Sprint(i))
	}
	s.api.Close()
	if n := len(s.api.forgets.pending); n > maxPending {
		t.Errorf("%d SKUs are pending", n)
	}
	if len(s.logs.lines("ERROR")) == 0 {
		t.Error("nobody is told")
	}
}
