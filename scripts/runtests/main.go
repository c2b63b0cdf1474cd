// Command runtests is what "make test" runs: "go test" in each module of the repository, with the flags given to it.
// It prints one line per package and the output of what fails, then what did not run and why, and as its last line
// "N passed, N failed, N skipped". It exits 1 if anything failed, compiling included. With -v it prints all output.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, errFailed) { // the report says it, and its last line stays the last
			fmt.Fprintln(os.Stderr, "runtests:", err)
		}
		os.Exit(1)
	}
}

var errFailed = errors.New("tests failed")

// run tests every module, also after one failed. The error is errFailed if something did.
func run(ctx context.Context, flags []string, out io.Writer) error {
	begin := time.Now()
	race, err := canRace(ctx)
	if err != nil {
		return err
	}
	if !race {
		fmt.Fprintln(out, "no C compiler, or CGO_ENABLED=0: tests run WITHOUT the race detector")
	}
	r := newReport(out, slices.Contains(flags, "-v"))
	for _, m := range []struct {
		dir  string
		race bool
		env  []string
	}{
		{dir: ".", race: race},
		// The Temporal server would have to be compiled a second time for the race detector, for ten minutes. Without
		// cgo it shares what "make build" compiled.
		{dir: "devstack", env: []string{"CGO_ENABLED=0"}},
	} {
		// -count=1: a result from the cache says nothing about the servers of today.
		args := []string{"test", "-json", "-count=1", "-shuffle=on", "-timeout=20m"}
		if m.race {
			args = append(args, "-race")
		}
		cmd := exec.CommandContext(ctx, "go", append(append(args, flags...), "./...")...) //nolint:gosec // the caller's own flags
		cmd.Dir, cmd.Env = m.dir, append(os.Environ(), m.env...)
		if err := r.follow(cmd); err != nil {
			return fmt.Errorf("%s: %w", m.dir, err)
		}
	}
	if r.finish(time.Since(begin)) > 0 {
		return errFailed
	}
	return nil
}

// canRace says whether the race detector can be linked: it needs cgo and a C compiler.
func canRace(ctx context.Context) (bool, error) {
	b, err := exec.CommandContext(ctx, "go", "env", "CGO_ENABLED", "CC").Output()
	if err != nil {
		return false, fmt.Errorf("go env: %w", err)
	}
	cgo, cc, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	words := strings.Fields(cc) // CC may carry flags
	if cgo != "1" || len(words) == 0 {
		return false, nil
	}
	_, err = exec.LookPath(words[0])
	return err == nil, nil
}
