package cli

import (
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"

	"holdfast/order"
)

// problem is a problem document (RFC 9457), the API's or one made here.
type problem struct {
	Type    string       `json:"type"` // ends in a slug, such as /problems/sold-out
	Title   string       `json:"title"`
	Status  int          `json:"status,omitempty"` // the HTTP status; 0 if made here
	Detail  string       `json:"detail,omitempty"`
	Errors  []fieldError `json:"errors,omitempty"`
	OrderID string       `json:"order_id,omitempty"`
	SKUs    []string     `json:"skus,omitempty"`

	raw []byte // the API's own document; nil if made here
}

// fieldError is what is wrong with one field of the input.
type fieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func madeHere(slug, title, detail string) problem {
	return problem{Type: "/problems/" + slug, Title: title, Detail: detail}
}

// readProblem reads the API's document; ok is false if it is none.
func readProblem(doc []byte) (p problem, ok bool) {
	if json.Unmarshal(doc, &p) != nil || (p.Type == "" && p.Title == "") {
		return problem{}, false
	}
	p.raw = doc
	return p, true
}

// slug is the last part of the type: what programs decide by.
func (p problem) slug() string { return path.Base(p.Type) }

func (p problem) is(slug string) bool { return p.slug() == slug }

// document is the problem as JSON: what the API sent, byte by byte, if it came from there.
func (p problem) document() []byte {
	if p.raw != nil {
		return p.raw
	}
	doc, err := json.Marshal(p)
	if err != nil { // cannot be: it has strings and numbers only
		return []byte(`{"type":"/problems/failed","title":"Failed"}`)
	}
	return doc
}

// line is the problem's first line: what was wrong.
func (p problem) line() string {
	title, detail := clean(p.Title), clean(p.Detail)
	switch {
	case title == "":
		title = p.slug()
	case strings.EqualFold(title, detail):
		detail = ""
	}
	if detail == "" {
		return title
	}
	return title + ": " + detail
}

// words is the problem for people: what was wrong, each field on a line, and what to do.
func (p problem) words() string {
	lines := []string{p.line()}
	for _, e := range p.Errors {
		if p.Detail != e.Field+" "+e.Message { // or the first line says it already
			lines = append(lines, "  "+clean(e.Field)+": "+clean(e.Message))
		}
	}
	if len(p.SKUs) > 0 {
		lines = append(lines, "  SKUs: "+clean(strings.Join(p.SKUs, ", ")))
	}
	if p.OrderID != "" {
		lines = append(lines, "  order: "+clean(p.OrderID))
	}
	if advice := p.advice(); advice != "" {
		lines = append(lines, advice)
	}
	return strings.Join(lines, "\n")
}

// about tells whether the problem lies in the field.
func (p problem) about(field string) bool {
	return slices.ContainsFunc(p.Errors, func(e fieldError) bool { return e.Field == field })
}

// advice says what to do about a problem that the API named.
func (p problem) advice() string {
	final := p.OrderID != "" // an answer that names the order is its end
	switch p.slug() {
	case "sold-out":
		if final {
			return "The order is closed for good. Order fewer units, or again under a new key once there is stock."
		}
		return "Nothing was started. Order fewer units, or send the same key again once there is stock."
	case "limit-exceeded":
		if final {
			return "The order is closed for good. The customer may order fewer units under a new key, or as many as before once others are cancelled."
		}
		return "Nothing was started. The customer has, or is about to have, as many units as one customer may."
	case "payment-declined":
		return "The order is closed for good and nothing was charged. Order again under a new key, with another payment method."
	case "order-closed":
		return "The order is closed for good. To order again, use a new key."
	case "unknown-sku":
		if final {
			return "The order is closed for good. Check the SKU, or create it with 'stock set', and order under a new key."
		}
		return "Check the SKU, or create it with 'stock set SKU ON_HAND'."
	case "key-reused":
		if p.about("reference") {
			return "Nothing was changed. Use a new reference for other units."
		}
		return "Use a new key for a new order, or send what was ordered under this one."
	case "invalid":
		return "Correct it and try again."
	case "below-reserved":
		return "Pending orders hold more units than that would leave. Wait for their ends, or leave at least the reserved ones."
	}
	return ""
}

// invalidInput is the failure for an argument that cannot be what it should be, found before anything
// is asked of the API.
func invalidInput(err error) error {
	wrong, ok := errors.AsType[*order.ValidationError](err)
	if !ok {
		return err
	}
	p := madeHere("invalid", "Invalid input", "")
	for _, w := range wrong.Problems {
		p.Errors = append(p.Errors, fieldError{Field: w.Field, Message: w.Message})
	}
	return &failure{code: exitUsage, problem: p}
}
