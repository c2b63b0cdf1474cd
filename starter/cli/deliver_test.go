package cli

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPlaceRepeats shows that trouble that passes is waited out, with the same key and body.
func TestPlaceRepeats(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]reply{
		"full":            {status: 503, body: fullDoc, header: map[string]string{"Retry-After": "1"}},
		"unavailable":     {status: 503, body: unavailableDoc},
		"connection lost": {drop: true},
		"bad gateway":     {status: 502, body: "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := answers(trouble, trouble, reply{status: 201, body: confirmedDoc})
			got := try{api: api}.run(t, placing("--key", "k", "--output", "json")...)
			if got.code != 0 {
				t.Fatalf("exit code %d: %s", got.code, got.err)
			}
			same(t, "stdout", got.out, confirmedDoc+"\n")
			for _, a := range api.asked[1:] {
				same(t, "a repeat's body", a.body, api.asked[0].body)
				same(t, "a repeat's key", a.header.Get("Idempotency-Key"), "k")
			}
		})
	}
}

func TestPlaceRepeatsAsLongAsItWaits(t *testing.T) {
	t.Parallel()
	api := answers(reply{status: 503, body: unavailableDoc})
	try{api: api}.run(t, placing("--wait", "0")...)
	if n := len(api.lines()); n != 1 {
		t.Errorf("with --wait 0 it asked %d times", n)
	}
	api = answers(reply{status: 503, body: fullDoc, header: map[string]string{"Retry-After": "60"}})
	got := try{api: api}.run(t, placing("--key", "k;1", "--wait", "30s")...)
	got.check(t, 1, "", "Too many orders: nothing was started\nThis command started nothing. To try again:\n  "+
		strings.Replace(again, "--key", "--wait 30s --key", 1)+"\n")
	if n := len(api.lines()); n != 1 {
		t.Errorf("it asked %d times, and was told to come back in a minute", n)
	}
}

// TestPlaceFullAfterALostAnswer shows that "nothing was started" is said of all tries, not of the last.
func TestPlaceFullAfterALostAnswer(t *testing.T) {
	t.Parallel()
	api := answers(reply{drop: true}, reply{status: 503, body: fullDoc})
	got := try{api: api}.run(t, placing("--key", "k;1")...)
	contains(t, "stderr", got.err, "OUTCOME IS NOT KNOWN: the order "+placedID, again)
}

func TestPlaceUnreachable(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	got := try{}.run(t, append(placing("--key", "k", "-o", "json"), "--api", url)...)
	if got.code != 1 {
		t.Errorf("exit code %d", got.code)
	}
	contains(t, "stdout", got.out, `{"type":"/problems/unreachable","title":"Not reachable","detail":"cannot reach the API at `+url)
	contains(t, "stderr", got.err, "This command started nothing", "--api "+url+" ", "--output json", "HOLDFAST_API_URL")
	lacks(t, "stderr", got.err, "NOT KNOWN")
}

func TestPlaceTimeOut(t *testing.T) {
	t.Parallel()
	api := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { untilGone(r) })
	got := try{api: api}.run(t, placing("--key", "k;1", "--wait", "0", "--timeout", "1ms")...)
	if got.code != 1 {
		t.Errorf("exit code %d", got.code)
	}
	// Whether the connection stood by then is a matter of luck, and both are told apart elsewhere.
	contains(t, "stderr", got.err, " --key 'k;1'\n")
}

func TestPlaceInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	api := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		untilGone(r)
	})
	got := try{api: api}.runIn(ctx, t, placing("--key", "k;1")...)
	if got.code != 1 {
		t.Errorf("exit code %d", got.code)
	}
	contains(t, "stderr", got.err, "OUTCOME IS NOT KNOWN: the order "+placedID, again)
}

// TestPlacePausesGrow shows the pauses between repeats, and that Retry-After is heeded.
func TestPlacePausesGrow(t *testing.T) {
	t.Parallel()
	var pauses []time.Duration
	api := answers(reply{drop: true}, reply{drop: true}, reply{status: 503, body: fullDoc, header: map[string]string{"Retry-After": "2"}},
		reply{status: 201, body: confirmedDoc})
	try{api: api, change: func(a *app) {
		a.pause = func(_ context.Context, d time.Duration) error {
			pauses = append(pauses, d)
			return nil
		}
	}}.run(t, placing()...)
	if want := []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 2 * time.Second}; !slices.Equal(pauses, want) {
		t.Errorf("the pauses are %v, want %v", pauses, want)
	}
}
