// Command mutants is what "make mutants" runs: it plants known bugs, one at a time, in a copy of the project, and sees whether
// the tests catch them. A bug is a patch in patches/, whose head says what it is ("bug: ...") and which tests are to catch it
// ("test: DIRECTORY PACKAGE... [FLAG...]", in the form of go test). It exits 1 if a bug survives, if its patch does not apply, or
// if the tests fail without it.
package main

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

//go:embed patches/*.patch
var patches embed.FS

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// mutant is a bug to plant.
type mutant struct {
	name  string
	bug   string
	tests []string
	patch []byte
}

func run(ctx context.Context, out io.Writer) error {
	mutants, err := readMutants()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "holdfast-mutants-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := copyProject(ctx, dir); err != nil {
		return fmt.Errorf("copy the project: %w", err)
	}
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "PLANTED BUG\tCAUGHT BY")
	failed := 0
	for i, m := range mutants {
		_, _ = fmt.Fprintf(os.Stderr, "%d of %d: %s\n", i+1, len(mutants), m.bug)
		caught, err := m.plant(ctx, dir)
		if err != nil {
			caught = "NOT CAUGHT: " + err.Error()
			failed++
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\n", m.bug, caught)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d planted bugs were not caught", failed, len(mutants))
	}
	return nil
}

func readMutants() ([]mutant, error) {
	const dir = "patches"
	files, err := patches.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	mutants := make([]mutant, 0, len(files))
	for _, f := range files {
		m := mutant{name: f.Name()}
		if m.patch, err = patches.ReadFile(dir + "/" + f.Name()); err != nil {
			return nil, err
		}
		head, _, _ := strings.Cut(string(m.patch), "diff ")
		for line := range strings.Lines(head) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch key {
			case "bug":
				m.bug = value
			case "test":
				m.tests = append(m.tests, value)
			}
		}
		if m.bug == "" || len(m.tests) == 0 {
			return nil, fmt.Errorf("%s: its head must say what bug it is and which tests catch it", m.name)
		}
		mutants = append(mutants, m)
	}
	return mutants, nil
}

// copyProject copies what git tracks, as it is now.
func copyProject(ctx context.Context, dir string) error {
	list, err := exec.CommandContext(ctx, "git", "ls-files", "-z").Output()
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		text, err := os.ReadFile(name) //nolint:gosec // a file of the project
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			return err
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, 0o600); err != nil { //nolint:gosec // below the directory that was made
			return err
		}
	}
	return nil
}

// plant runs the mutant's tests without and with its bug, and says which of them caught it.
func (m mutant) plant(ctx context.Context, dir string) (caught string, err error) {
	for _, tests := range m.tests {
		if failed, err := test(ctx, dir, tests); err != nil {
			return "", fmt.Errorf("without it %w", err)
		} else if failed != "" {
			return "", fmt.Errorf("%s fails without it", failed)
		}
	}
	if err := m.apply(ctx, dir); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.apply(ctx, dir, "--reverse")) }()
	for _, tests := range m.tests {
		if caught, err = test(ctx, dir, tests); err != nil || caught != "" {
			return caught, err
		}
	}
	return "", fmt.Errorf("%s passes with it", strings.Join(m.tests, ", "))
}

func (m mutant) apply(ctx context.Context, dir string, flags ...string) error {
	cmd := exec.CommandContext(ctx, "git", append([]string{"apply"}, flags...)...) //nolint:gosec // flags of this program's own
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(m.patch)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not apply: %s", m.name, bytes.TrimSpace(text))
	}
	return nil
}

// test runs "DIRECTORY PACKAGE... [FLAG...]" and returns the first test that failed, "" if none did. The error says that nothing
// could be tested.
func test(ctx context.Context, dir, tests string) (failed string, err error) {
	const limit = 4 * time.Minute // a bug that makes everything wait is caught as well
	where, rest, _ := strings.Cut(tests, " ")
	args := append([]string{"test", "-json", "-failfast", "-count=1", "-timeout=" + limit.String()}, strings.Fields(rest)...)
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // flags of the patches of this project
	cmd.Dir, cmd.Env = filepath.Join(dir, where), append(os.Environ(), "CGO_ENABLED=0")
	text, err := cmd.Output()
	if err == nil {
		return "", nil
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && failed == "" {
		var event struct {
			Action string `json:"Action"`
			Test   string `json:"Test"`
		}
		if json.Unmarshal(lines.Bytes(), &event) == nil && event.Action == "fail" {
			failed = event.Test // the innermost comes first
		}
	}
	if failed == "" {
		return "", fmt.Errorf("%s could not be run: %w", tests, err)
	}
	return failed, nil
}
