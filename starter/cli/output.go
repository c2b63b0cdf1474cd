package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// format is how results are printed. It implements pflag.Value.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
)

// String gives the format's name.
func (f *format) String() string { return string(*f) }

// Set takes a format's name.
func (f *format) Set(s string) error {
	if s != string(formatTable) && s != string(formatJSON) {
		return errors.New("must be table or json")
	}
	*f = format(s)
	return nil
}

// Type names the kind of value in the help.
func (f *format) Type() string { return "format" }

// formatAsked tells whether JSON was asked for anywhere in arguments that could not be parsed.
func formatAsked(args []string) bool {
	for i, arg := range args {
		switch arg {
		case "--output=json", "-o=json", "-ojson":
			return true
		case "--output", "-o":
			return slices.Contains(args[i+1:min(i+2, len(args))], "json")
		case "--":
			return false
		}
	}
	return false
}

// printTable prints rows in columns. An empty cell is shown as "-", so that no column seems to move.
func printTable(w io.Writer, rows ...[]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = clean(cell)
			if cells[i] == "" {
				cells[i] = "-"
			}
		}
		if _, err := fmt.Fprintln(tw, strings.Join(cells, "\t")); err != nil {
			return fmt.Errorf("write the output: %w", err)
		}
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// clean takes control characters out of text that came from elsewhere: they would break the columns
// or steer the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// commandLine is the command as the user can repeat it: with the flags that were given, but name set
// to value.
func (a *app) commandLine(cmd *cobra.Command, name, value string) string {
	_, path, _ := strings.Cut(cmd.CommandPath(), " ")
	words := []string{quote(a.name), path}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		list, isList := f.Value.(pflag.SliceValue)
		switch {
		case f.Name == name:
		case isList:
			for _, v := range list.GetSlice() {
				words = append(words, "--"+f.Name, quote(v))
			}
		case f.Value.String() == f.NoOptDefVal: // a bool that is true
			words = append(words, "--"+f.Name)
		case f.NoOptDefVal != "": // a bool that is false; its value would be an argument without the sign
			words = append(words, "--"+f.Name+"="+f.Value.String())
		default:
			words = append(words, "--"+f.Name, quote(f.Value.String()))
		}
	})
	return strings.Join(append(words, "--"+name, quote(value)), " ")
}

// command is another command on the same API, as the user can give it.
func (a *app) command(words ...string) string {
	all := append([]string{a.name}, words...)
	if a.apiURL != "" {
		all = append(all, "--api", a.apiURL)
	}
	for i := range all {
		all[i] = quote(all[i])
	}
	return strings.Join(all, " ")
}

// quote makes one word of a POSIX shell out of s.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./:=@%+,-", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// takes checks that a command got the arguments that it names.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == len(names):
			return nil
		case len(names) == 0:
			return usagef("%s takes no arguments, and got %q", cmd.CommandPath(), args)
		}
		return usagef("%s takes %s, and got %d arguments", cmd.CommandPath(), strings.Join(names, " "), len(args))
	}
}

// printLine prints an empty line between two tables.
func (a *app) printLine() error {
	if _, err := fmt.Fprintln(a.stdout); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}
