package flashsale

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseMix(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Mix{
		"tok_ok":                         {{"tok_ok", 1}},
		"tok_ok=90,tok_declined=5":       {{"tok_ok", 90}, {"tok_declined", 5}},
		"tok_ok=1 , tok_lost=0, tok_b":   {{"tok_ok", 1}, {"tok_lost", 0}, {"tok_b", 1}},
		"tok_ok=1000000,tok_slow=1":      {{"tok_ok", 1_000_000}, {"tok_slow", 1}},
		"tok_ok=0,tok_declined=00000001": {{"tok_ok", 0}, {"tok_declined", 1}},
	} {
		got, err := ParseMix(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for text, words := range map[string]string{
		"":                  "must be payment methods by weight",
		"tok_ok=1,":         "must be payment methods by weight",
		"=3":                "must be payment methods by weight",
		"tok_ok=":           `the weight "" of tok_ok`,
		"tok_ok=-1":         `the weight "-1" of tok_ok`,
		"tok_ok=1.5":        `the weight "1.5" of tok_ok`,
		"tok_ok=1000001":    "from 0 to 1000000",
		"tok_ok=1=2":        `the weight "1=2" of tok_ok`,
		"tok_ok=0":          "at least one payment method",
		"tok_ok=1,tok_ok=2": "tok_ok stands there twice",
	} {
		if got, err := ParseMix(text); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q is %v, %v; want an error with %q", text, got, err, words)
		}
	}
}

func TestParseSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Span{"1": {1, 1}, "3": {3, 3}, "1-3": {1, 3}, "2-2": {2, 2}} {
		if got, err := ParseSpan(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "3-1", "0-2", "1-", "-", "1-2-3", "a", "1.5", "1..3"} {
		if got, err := ParseSpan(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
