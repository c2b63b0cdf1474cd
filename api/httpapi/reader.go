package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxDepth is far deeper than any body, which have three levels.
	maxDepth = 16
	// maxWrong is how many wrong fields are found before the rest of the body is left alone.
	maxWrong = 20
)

var (
	errEnough  = errors.New("enough is wrong")
	errTooDeep = errors.New("it is nested too deeply")
	errCut     = errors.New("it ends too early")
	errMore    = errors.New("something follows it")
	errNotJSON = errors.New("it breaks the grammar")
)

// reader walks one JSON document. Compared with json.Unmarshal it takes names in their exact spelling
// and once only, tells a missing field from a zero, and says where in the document a value is wrong.
// After the first error every call does nothing.
type reader struct {
	dec   *json.Decoder
	err   error // that the document is malformed, or errEnough
	wrong []FieldError
	path  []step
}

// step is a name, or an index.
type step struct {
	name  string
	index int // -1 for a name
}

func newReader(text []byte) *reader {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return &reader{dec: dec, path: make([]step, 0, 4)}
}

// object reads an object and calls field for each of its names; field reads the value, or returns false
// if it does not know the name. required names must be there.
func (r *reader) object(field func(name string) bool, required ...string) {
	if !r.open('{', "must be an object") {
		return
	}
	var seen []string // short: beyond the known names, each adds to what is wrong
	for r.err == nil && r.dec.More() {
		name, _ := r.next().(string) // the decoder lets nothing else stand here
		if slices.Contains(seen, name) {
			r.fail(fmt.Errorf("%q stands there twice", clip(name)))
		}
		if r.err != nil {
			return
		}
		seen = append(seen, name)
		r.path = append(r.path, step{name, -1})
		if !field(name) {
			r.blame("is not a field that exists")
			r.skip(r.next())
		}
		r.path = r.path[:len(r.path)-1]
	}
	r.next() // the end of the object
	for _, name := range required {
		if r.err == nil && !slices.Contains(seen, name) {
			r.path = append(r.path, step{name, -1})
			r.blame("is missing")
			r.path = r.path[:len(r.path)-1]
		}
	}
}

// array reads an array and calls element to read each value.
func (r *reader) array(element func()) {
	if !r.open('[', "must be an array") {
		return
	}
	for i := 0; r.err == nil && r.dec.More(); i++ {
		r.path = append(r.path, step{index: i})
		element()
		r.path = r.path[:len(r.path)-1]
	}
	r.next() // the end of the array
}

// text reads a string.
func (r *reader) text() string {
	token := r.next()
	s, ok := token.(string)
	if !ok {
		r.reject(token, "must be a string")
	}
	return s
}

// integer reads a number without fraction and exponent.
func (r *reader) integer() int64 { return r.toInteger(r.next()) }

// integerOrNull reads an integer, or null, for which it gives nil.
func (r *reader) integerOrNull() *int64 {
	token := r.next()
	if token == nil {
		return nil
	}
	n := r.toInteger(token)
	return &n
}

func (r *reader) toInteger(token json.Token) int64 {
	number, ok := token.(json.Number)
	if !ok {
		r.reject(token, "must be an integer")
		return 0
	}
	n, err := strconv.ParseInt(string(number), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		r.blame("is too large a number")
		return 0
	case err != nil:
		r.blame("must be an integer, without fraction and exponent")
		return 0
	}
	return n
}

// end makes sure that nothing follows.
func (r *reader) end() {
	if r.err != nil {
		return
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		r.fail(errMore)
	}
}

// open reads the beginning of an object or array.
func (r *reader) open(delim json.Delim, message string) bool {
	token := r.next()
	if token == delim {
		return r.err == nil
	}
	r.reject(token, message)
	return false
}

// next reads a token; nil after an error, and for null.
func (r *reader) next() json.Token {
	if r.err != nil {
		return nil
	}
	token, err := r.dec.Token()
	if err != nil {
		r.fail(inWords(err))
	}
	return token
}

// reject blames the value that begins with the token, and reads past it.
func (r *reader) reject(token json.Token, message string) {
	r.blame(message)
	r.skip(token)
}

// skip reads to the end of the value that begins with the token.
func (r *reader) skip(token json.Token) {
	for depth := 0; r.err == nil; token = r.next() {
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth+len(r.path) > maxDepth {
			r.fail(errTooDeep)
		}
		if depth == 0 {
			return
		}
	}
}

// blame says what is wrong with the value at the current path.
func (r *reader) blame(message string) {
	if r.err != nil {
		return
	}
	r.wrong = append(r.wrong, FieldError{r.field(), message})
	if len(r.wrong) == maxWrong {
		r.err = errEnough
	}
}

// field writes the path, such as "lines[2].quantity"; the document itself is "body".
func (r *reader) field() string {
	if len(r.path) == 0 {
		return "body"
	}
	var b strings.Builder
	for i, s := range r.path {
		switch {
		case s.index >= 0:
			fmt.Fprintf(&b, "[%d]", s.index)
		case i > 0:
			b.WriteString("." + clip(s.name))
		default:
			b.WriteString(clip(s.name))
		}
	}
	return b.String()
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// inWords keeps of a decoder's error what is about the document.
func inWords(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return syntax
	}
	return errNotJSON
}
