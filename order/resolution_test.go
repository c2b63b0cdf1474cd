package order_test

import (
	"errors"
	"strings"
	"testing"

	"holdfast/order"
)

func TestAWordByHandNeedsItsNote(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		resolution order.Resolution
		wrong      string // the fields, in order
	}{
		"retry":                  {order.Resolution{Answer: order.Retry}, ""},
		"retry with a note":      {order.Resolution{Answer: order.Retry, Note: "the provider is back"}, ""},
		"charged":                {order.Resolution{Answer: order.Charged, Note: "seen"}, ""},
		"the longest note":       {order.Resolution{Answer: order.NotCharged, Note: strings.Repeat("é", order.MaxNote)}, ""},
		"no note":                {order.Resolution{Answer: order.Charged}, "note"},
		"an empty note":          {order.Resolution{Answer: order.NotCharged, Note: " \n"}, "note"},
		"too long a note":        {order.Resolution{Answer: order.Charged, Note: strings.Repeat("é", order.MaxNote+1)}, "note"},
		"a note that is no text": {order.Resolution{Answer: order.Charged, Note: "\xff"}, "note"},
		"another answer":         {order.Resolution{Answer: "paid", Note: "seen"}, "answer"},
		"nothing":                {order.Resolution{}, "answer"},
	} {
		err := c.resolution.Validate()
		var wrong []string
		if invalid, ok := errors.AsType[*order.ValidationError](err); ok {
			for _, p := range invalid.Problems {
				wrong = append(wrong, p.Field)
			}
		} else if err != nil {
			t.Errorf("%s: %v is no ValidationError", name, err)
		}
		if got := strings.Join(wrong, " "); got != c.wrong {
			t.Errorf("%s: wrong are %q, want %q", name, got, c.wrong)
		}
	}
}
