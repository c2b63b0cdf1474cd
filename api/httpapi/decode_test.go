package httpapi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzDecode: whatever comes, decode neither panics nor takes a document that is not JSON, and what it
// takes is what the standard library reads.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		goodBody, `{"lines":[}`, `{"lines":[1 2]}`, `{"a" 1}`, `{"a":1,}`, `[1,]`, `{"lines":[{"sku":"a","quantity":-0,"unit_price":0}]}`,
		`{"\u006cines":null}`, `"`, `{"customer_id":"\ud800"}`, `]`, `{}{}`, `{"lines":[{"sku":{"a":[]}}]}`, "\ufeff{}", `{"a":1e999}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var in orderInput
		p := decode(text, &in)
		switch {
		case p == nil:
			var want orderInput
			if !json.Valid(text) || json.Unmarshal(text, &want) != nil {
				t.Fatalf("%q is taken", text)
			}
			in.Lines = append([]orderLine{}, in.Lines...) // no lines are none, however they are written
			want.Lines = append([]orderLine{}, want.Lines...)
			if !reflect.DeepEqual(in, want) {
				t.Fatalf("%q is read as %+v, want %+v", text, in, want)
			}
		case p.Status == 422 && len(p.Errors) == 0:
			t.Fatalf("%q is wrong nowhere", text)
		case p.Status == 422 && len(p.Errors) < maxWrong && (!json.Valid(text) || !utf8.Valid(text)):
			t.Fatalf("%q is called JSON", text)
		case p.Status == 400 && json.Valid(text) && utf8.Valid(text) && !strings.Contains(p.Detail, "twice") && !strings.Contains(p.Detail, "nested"):
			t.Fatalf("%q is called malformed: %s", text, p.Detail)
		}
	})
}

// BenchmarkDecode is the body of an ordinary order.
func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var in orderInput
		if p := decode([]byte(goodBody), &in); p != nil {
			b.Fatal(p)
		}
	}
}
