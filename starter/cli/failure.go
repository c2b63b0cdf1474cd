package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// failure is why a command did not do what it was asked to.
type failure struct {
	code    int
	problem problem
	// advice is what the user can do, a line each.
	advice []string
}

// Error gives the problem in one line.
func (f *failure) Error() string { return f.problem.line() }

// codeError ends a command with a code when stdout has the result already, such as a pending order.
type codeError int

// Error implements error.
func (c codeError) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// usagef makes the failure of a wrong flag or argument.
func usagef(format string, args ...any) *failure {
	return &failure{code: exitUsage, problem: madeHere("usage", "Wrong usage", fmt.Sprintf(format, args...))}
}

// errorf makes the failure of something that went wrong on the way.
func errorf(slug, title, format string, args ...any) *failure {
	return &failure{code: exitError, problem: madeHere(slug, title, fmt.Sprintf(format, args...))}
}

// advisef adds a line on what to do.
func (f *failure) advisef(format string, args ...any) *failure {
	f.advice = append(f.advice, fmt.Sprintf(format, args...))
	return f
}

// withCode makes sure that a command's error has an exit code.
func withCode(err error) error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if code, ok := errors.AsType[codeError](err); ok {
		return code
	}
	return errorf("failed", "Failed", "%v", err)
}

// report shows how a command ended: in words on stderr and, in JSON mode, as a problem document on
// stdout. It returns the exit code.
func (a *app) report(cmd *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	if code, ok := errors.AsType[codeError](err); ok {
		return int(code)
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = usagef("%v", err)
	}
	if f.problem.is("usage") {
		f = f.advisef("See '%s --help'.", cmd.CommandPath())
	}
	a.sayf("%s", f.problem.words())
	for _, line := range f.advice {
		a.sayf("%s", line)
	}
	if a.output == formatJSON {
		if err := a.printJSON(f.problem.document()); err != nil {
			a.sayf("%v", err)
		}
	}
	return f.code
}

// sayf tells people something, on a line of its own on stderr. A stderr that cannot be written leaves
// nobody to tell.
func (a *app) sayf(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, format+"\n", args...)
}

// printJSON prints one JSON document and ends the line.
func (a *app) printJSON(doc []byte) error {
	if len(doc) == 0 || doc[len(doc)-1] != '\n' {
		doc = append(slices.Clip(doc), '\n')
	}
	if _, err := a.stdout.Write(doc); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// printAsJSON prints a document of this program's own.
func (a *app) printAsJSON(v any) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the output: %w", err)
	}
	return a.printJSON(doc)
}
