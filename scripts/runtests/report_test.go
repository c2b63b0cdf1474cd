package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReportCountsWhatGoTestDid runs the real "go test" on a module with a package for each way to end.
func TestReportCountsWhatGoTestDid(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command: nothing to run the sample module with")
	}
	const header = "package p\nimport (\"os\"; \"testing\"; \"time\")\nvar _, _ = os.Exit, time.Hour\n"
	for _, tc := range []struct {
		name, source string
		flags        []string
		want         string   // the last line
		shows        []string // elsewhere in the output
	}{
		{
			name: "passes, subtests count for their parent",
			source: `func TestA(t *testing.T) {}
				func TestB(t *testing.T) { t.Run("x", func(t *testing.T) {}); t.Run("y", func(t *testing.T) {}) }`,
			want:  "3 passed, 0 failed, 0 skipped",
			shows: []string{"ok    sample"},
		},
		{
			name: "fails in a subtest",
			source: `func TestB(t *testing.T) { t.Run("x", func(t *testing.T) { t.Error("wrong total") })
				t.Run("y", func(t *testing.T) {}) }`,
			want:  "1 passed, 1 failed, 0 skipped",
			shows: []string{"wrong total", "FAIL  sample"},
		},
		{
			name:   "fails beside passing subtests",
			source: `func TestB(t *testing.T) { t.Run("x", func(t *testing.T) {}); t.Error("left over") }`,
			want:   "1 passed, 1 failed, 0 skipped",
			shows:  []string{"left over"},
		},
		{
			name:   "skips with a reason",
			source: `func TestA(t *testing.T) { t.Skip("redis-server not found") }; func TestB(t *testing.T) {}`,
			want:   "1 passed, 0 failed, 1 skipped",
			shows:  []string{"DID NOT RUN: redis-server not found\n  sample: 1: TestA\n"},
		},
		{
			name:   "panics",
			source: `func TestA(t *testing.T) {}; func TestB(t *testing.T) { panic("boom") }`,
			want:   "1 passed, 1 failed, 0 skipped",
			shows:  []string{"boom"},
		},
		{
			name:   "times out",
			source: `func TestA(t *testing.T) { time.Sleep(time.Hour) }`,
			flags:  []string{"-timeout=1s"},
			want:   "0 passed, 1 failed, 0 skipped",
			shows:  []string{"timed out", "sample  still runs TestA\n"},
		},
		{
			name:   "exits early with success",
			source: `func TestA(t *testing.T) { os.Exit(0) }`,
			want:   "0 passed, 1 failed, 0 skipped",
		},
		{
			name:   "fails in TestMain only",
			source: `func TestMain(m *testing.M) { m.Run(); os.Exit(7) }; func TestA(t *testing.T) {}`,
			want:   "1 passed, 1 failed, 0 skipped",
		},
		{
			name:   "does not compile",
			source: `func TestA(t *testing.T) { undefined() }`,
			want:   "0 passed, 1 failed, 0 skipped",
			shows:  []string{"undefined: undefined"},
		},
		{
			name:   "go test itself fails",
			source: `func TestA(t *testing.T) {}`,
			flags:  []string{"-no-such-flag"},
			want:   "0 passed, 1 failed, 0 skipped",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "go.mod"), "module sample\n")
			write(t, filepath.Join(dir, "p_test.go"), header+tc.source)
			cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-json"}, tc.flags...)...)
			cmd.Dir = dir

			var out bytes.Buffer
			r := newReport(&out, false)
			r.patience = 50 * time.Millisecond
			if err := r.follow(cmd); err != nil {
				t.Fatal(err)
			}
			failed := r.finish(time.Second)
			text := strings.TrimSpace(out.String())
			if got := text[strings.LastIndex(text, "\n")+1:]; got != tc.want {
				t.Errorf("last line %q, want %q", got, tc.want)
			}
			if (failed > 0) != !strings.Contains(tc.want, " 0 failed") {
				t.Errorf("%d failures for %q", failed, tc.want)
			}
			for _, s := range tc.shows {
				if !strings.Contains(text, s) {
					t.Errorf("the output does not show %q", s)
				}
			}
			if t.Failed() {
				t.Log(text)
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
