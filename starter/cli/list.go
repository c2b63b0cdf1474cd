package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// listing is how a list is read: one page, or all of them.
type listing struct {
	path   string
	member string // of the API's document, that has the items
	query  url.Values

	limit   int
	cursor  string
	all     bool
	timeout time.Duration
}

// flags gives a command what all lists take.
func (l *listing) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&l.limit, "limit", 0, "`number` of entries of a page (the API's default is 50, at most 200)")
	flags.StringVar(&l.cursor, "cursor", "", "go on where a page ended, with the `cursor` that it gave")
	flags.BoolVar(&l.all, "all", false, "read all pages")
	cmd.MarkFlagsMutuallyExclusive("all", "limit")
	timeoutFlag(cmd, &l.timeout, defaultTimeout, "to wait for each answer of the API")
}

// page is one page of a list.
type page struct {
	raw   []byte
	items []json.RawMessage
	next  string // the cursor of the page after it; "" if it is the last
}

// read reads one page.
func (l *listing) read(ctx context.Context, a *app, cursor string) (page, error) {
	r := request{method: http.MethodGet, path: l.path, query: l.query, within: l.timeout}
	set(r.query, "cursor", cursor)
	switch {
	case l.all:
		set(r.query, "limit", "200") // the largest pages that there are
	case l.limit != 0:
		set(r.query, "limit", strconv.Itoa(l.limit))
	}
	ans, err := a.ask(ctx, r)
	if err != nil {
		return page{}, err
	}
	var doc map[string]json.RawMessage
	p := page{raw: ans.body}
	err = json.Unmarshal(ans.body, &doc)
	if err == nil {
		err = json.Unmarshal(doc[l.member], &p.items)
	}
	if err == nil && doc["next_cursor"] != nil {
		err = json.Unmarshal(doc["next_cursor"], &p.next) // null leaves it empty
	}
	if err != nil {
		return page{}, ans.asForeign(l.path, "it was not a list of "+l.member).failure()
	}
	return p, nil
}

// print prints the list: in JSON mode the API's document, or one with all entries; otherwise a table
// with the header and a row for each entry.
func (l *listing) print(ctx context.Context, a *app, cmd *cobra.Command, header []string, row func(json.RawMessage) ([]string, error)) error {
	var all []json.RawMessage
	rows := [][]string{header}
	for cursor := l.cursor; ; {
		p, err := l.read(ctx, a, cursor)
		if err != nil {
			return err
		}
		last := p.next == ""
		switch {
		case a.output == formatJSON && !l.all:
			return a.printJSON(p.raw)
		case !last && l.all && p.next == cursor:
			return errorf("foreign-answer", "Not an answer of holdfast's API", "%s does not get beyond the cursor %q", l.path, cursor)
		case a.output == formatJSON:
			all = append(all, p.items...)
		default:
			if rows, err = appendRows(rows, p.items, row); err != nil {
				return err
			}
		}
		if l.all && !last {
			cursor = p.next
			continue
		}
		if a.output == formatJSON {
			return a.printAsJSON(map[string]any{l.member: append([]json.RawMessage{}, all...), "next_cursor": nil})
		}
		if err := printTable(a.stdout, rows...); err != nil {
			return err
		}
		if !last {
			a.sayf("There are more: %s", a.commandLine(cmd, "cursor", p.next))
		}
		return nil
	}
}

func appendRows(rows [][]string, items []json.RawMessage, row func(json.RawMessage) ([]string, error)) ([][]string, error) {
	for _, item := range items {
		cells, err := row(item)
		if err != nil {
			return nil, err
		}
		rows = append(rows, cells)
	}
	return rows, nil
}

// set sets a parameter, and leaves an empty one out.
func set(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}
