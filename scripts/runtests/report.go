package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is one line of "go test -json", see "go doc test2json" and "go help buildjson".
type event struct {
	Action  string  `json:"Action"`
	Package string  `json:"Package"`
	Test    string  `json:"Test"`    // empty: about the package
	Elapsed float64 `json:"Elapsed"` // seconds
	Output  string  `json:"Output"`
}

// report counts leaf tests: a test with subtests stands for itself only if it fails while they pass, or is skipped.
// A package that fails without a failed test (it does not compile, or its process dies) counts as one failure.
type report struct {
	out     io.Writer
	verbose bool
	// patience is how long the tests may be silent before it says what runs.
	patience time.Duration

	passed, failed, skipped int
	packages                map[string]*pkg
	reasons                 map[string]map[string][]string // of skips: reason, package, tests
}

type pkg struct {
	output  map[string]*strings.Builder // by test; "" is the package's own
	results map[string]string           // by test: pass, fail, skip, or "" while it runs
}

func newReport(out io.Writer, verbose bool) *report {
	return &report{
		out: out, verbose: verbose, patience: time.Minute,
		packages: map[string]*pkg{},
		reasons:  map[string]map[string][]string{},
	}
}

// follow runs a "go test -json" to its end. A failure of the command is counted, not returned.
func (r *report) follow(cmd *exec.Cmd) error {
	before := r.failed
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := r.read(stdout); err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	if err := cmd.Wait(); err != nil && r.failed == before {
		fmt.Fprintf(r.out, "FAIL  %s: %v\n", strings.Join(cmd.Args, " "), err)
		r.failed++ // the last line must not read as a success
	}
	return nil
}

// read takes events until the command closes its output.
func (r *report) read(in io.Reader) error {
	lines, result := make(chan []byte), make(chan error, 1)
	go func() {
		defer close(lines)
		for b := bufio.NewReader(in); ; {
			line, err := b.ReadBytes('\n')
			if len(line) > 0 {
				lines <- line
			}
			if err != nil {
				result <- err
				return
			}
		}
	}()
	quiet := time.NewTicker(r.patience)
	defer quiet.Stop()
	for {
		select {
		case <-quiet.C:
			r.running()
		case line, ok := <-lines:
			if !ok {
				if err := <-result; !errors.Is(err, io.EOF) {
					return err
				}
				return nil
			}
			quiet.Reset(r.patience)
			var e event
			if json.Unmarshal(line, &e) == nil {
				r.event(e)
			} else {
				_, _ = r.out.Write(line)
			}
		}
	}
}

// running names the tests that have begun and not ended, so that a wait, or a hang, can be told by its name.
func (r *report) running() {
	for _, name := range slices.Sorted(maps.Keys(r.packages)) {
		var tests []string
		for test, result := range r.packages[name].results {
			if result == "" {
				tests = append(tests, test)
			}
		}
		if len(tests) > 0 {
			slices.Sort(tests)
			fmt.Fprintf(r.out, "...   %s  still runs %s\n", name, strings.Join(tests, ", "))
		}
	}
}

func (r *report) event(e event) {
	if e.Action == "build-output" {
		fmt.Fprint(r.out, e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	p := r.packages[e.Package]
	if p == nil {
		p = &pkg{output: map[string]*strings.Builder{}, results: map[string]string{}}
		r.packages[e.Package] = p
	}
	switch e.Action {
	case "run":
		p.results[e.Test] = ""
	case "output":
		if r.verbose {
			fmt.Fprint(r.out, e.Output)
		}
		if p.output[e.Test] == nil {
			p.output[e.Test] = &strings.Builder{}
		}
		p.output[e.Test].WriteString(e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e, p)
			delete(r.packages, e.Package)
			return
		}
		p.results[e.Test] = e.Action
		switch e.Action {
		case "fail":
			r.show(p, e.Test)
		case "skip":
			r.skip(e.Package, e.Test, p)
		}
		delete(p.output, e.Test)
	}
}

// show prints what a failed test, or package, had to say.
func (r *report) show(p *pkg, test string) {
	if b := p.output[test]; b != nil && !r.verbose {
		fmt.Fprint(r.out, b)
	}
}

// location is how the testing package begins a line of a test's own output.
var location = regexp.MustCompile(`(?m)^\s+\S+\.go:\d+: (.*)$`)

func (r *report) skip(name, test string, p *pkg) {
	reason := "no reason given"
	if b := p.output[test]; b != nil {
		if all := location.FindAllStringSubmatch(b.String(), -1); len(all) > 0 {
			reason = all[len(all)-1][1]
		}
	}
	if r.reasons[reason] == nil {
		r.reasons[reason] = map[string][]string{}
	}
	r.reasons[reason][name] = append(r.reasons[reason][name], test)
}

// endPackage counts the package's tests and prints its line.
func (r *report) endPackage(e event, p *pkg) {
	hasSubtests, hasFailedSubtest := map[string]bool{}, map[string]bool{}
	for test, result := range p.results {
		for i, c := range test {
			if c == '/' {
				hasSubtests[test[:i]] = true
				hasFailedSubtest[test[:i]] = hasFailedSubtest[test[:i]] || result == "fail" || result == ""
			}
		}
	}
	var passed, failed, skipped int
	for _, test := range slices.Sorted(maps.Keys(p.results)) {
		switch p.results[test] {
		case "pass":
			if !hasSubtests[test] {
				passed++
			}
		case "skip":
			skipped++
		case "fail":
			if !hasFailedSubtest[test] {
				failed++
			}
		default: // its process died under it
			r.show(p, test)
			if !hasFailedSubtest[test] {
				failed++
			}
		}
	}
	if e.Action == "fail" {
		r.show(p, "")
		failed = max(failed, 1)
	}
	r.passed, r.failed, r.skipped = r.passed+passed, r.failed+failed, r.skipped+skipped

	switch {
	case e.Action == "fail":
		fmt.Fprintf(r.out, "FAIL  %s  %.1fs  %d passed, %d failed, %d skipped\n", e.Package, e.Elapsed, passed, failed, skipped)
	case passed+skipped > 0:
		fmt.Fprintf(r.out, "ok    %s  %.1fs  %d passed, %d skipped\n", e.Package, e.Elapsed, passed, skipped)
	}
}

// finish prints what did not run, and the totals. It returns the number of failures.
func (r *report) finish(took time.Duration) int {
	fmt.Fprintln(r.out)
	for _, reason := range slices.Sorted(maps.Keys(r.reasons)) {
		fmt.Fprintf(r.out, "DID NOT RUN: %s\n", reason)
		for _, name := range slices.Sorted(maps.Keys(r.reasons[reason])) {
			tests := r.reasons[reason][name]
			slices.Sort(tests)
			const most = 5 // names enough to see which suite it is
			list := strings.Join(tests[:min(most, len(tests))], ", ")
			if len(tests) > most {
				list += ", ..."
			}
			fmt.Fprintf(r.out, "  %s: %d: %s\n", name, len(tests), list)
		}
	}
	fmt.Fprintf(r.out, "%d tests ran in %v\n", r.passed+r.failed, took.Round(time.Second))
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	return r.failed
}
