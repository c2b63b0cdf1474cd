package cli

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args  []string
		words string
	}{
		{nil, "starter needs a command: order, stock, flash-sale, audit, reconcile, handoff, events, migrate"},
		{[]string{"order"}, "starter order needs a command: place, get, list"},
		{[]string{"order", "eat"}, `starter order has no command "eat"`},
		{[]string{"eat"}, `starter has no command "eat"`},
		{[]string{"stock", "--colour"}, "unknown flag: --colour"},
		{[]string{"audit", "now"}, "starter audit takes no arguments"},
	} {
		got := try{}.run(t, test.args...)
		if got.code != 2 {
			t.Errorf("%q: exit code %d", test.args, got.code)
		}
		contains(t, "stderr", got.err, test.words, "--help'.\n")
		same(t, "stdout", got.out, "")
	}
}

// TestUsageInJSON shows that JSON mode holds even where the flags could not be read.
func TestUsageInJSON(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"audit", "--colour", "--output", "json"},
		{"audit", "--output=json", "--colour"},
		{"audit", "--colour", "-ojson"},
		{"-o", "json", "audit", "--colour"},
	} {
		try{}.run(t, args...).check(t, 2,
			`{"type":"/problems/usage","title":"Wrong usage","detail":"unknown flag: --colour"}`+"\n",
			"Wrong usage: unknown flag: --colour\nSee 'starter audit --help'.\n")
	}
}

// TestHelp shows that every command explains itself.
func TestHelp(t *testing.T) {
	t.Parallel()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" {
			t.Errorf("%s does not say what it does", cmd.CommandPath())
		}
		if !cmd.HasSubCommands() && !strings.Contains(cmd.Example, "starter ") {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(New(Env{}))
	got := try{}.run(t, "order", "place", "--help")
	if got.code != 0 || got.err != "" {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
	contains(t, "stdout", got.out, "1999 is 19.99 in EUR", "is repeated with the same key", "  4  order place: the order is pending")
	contains(t, "stdout", try{}.run(t, "--help").out, "HOLDFAST_API_URL", "HOLDFAST_SQLITE_PATH", "TEMPORAL_ADDRESS")
}

// TestOutputThatCannotBeWritten shows that a full disk is no success.
func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "table"} {
		got := try{
			api:    answers(reply{status: 200, body: confirmedDoc}),
			change: func(a *app) { a.stdout = fullDisk{} },
		}.run(t, "order", "get", orderID, "--output", format)
		if got.code != 1 {
			t.Errorf("%s: exit code %d", format, got.code)
		}
		contains(t, "stderr", got.err, "write the output: no space left")
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestMainUsesTheNameItWasCalledBy(t *testing.T) {
	t.Parallel()
	var out, stderr bytes.Buffer
	code := Main(t.Context(), []string{
		"order", "place", "--api", "http://127.0.0.1:1", "--wait", "0", "--customer", "c",
		"--currency", "EUR", "--payment-method", "tok_ok", "--line", "mug:1:1",
	},
		Env{Name: "./my bin/starter", Stdout: &out, Stderr: &stderr})
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	contains(t, "stderr", stderr.String(), "  './my bin/starter' order place --api http://127.0.0.1:1 ")
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"c-17": "c-17", "mug:2:1999": "mug:2:1999", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "ü": "'ü'",
	} {
		same(t, "quoted", quote(in), want)
	}
}

func TestEnvironTakesTheLast(t *testing.T) {
	t.Parallel()
	e := environ{"A=1", "B", "A=2=3"}
	same(t, "A", e.get("A"), "2=3")
	if _, ok := e.LookupEnv("B"); ok {
		t.Error("B is set")
	}
	if !slices.Equal(e.Environ(), e) {
		t.Error("Environ leaves something out")
	}
}
