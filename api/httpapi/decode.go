package httpapi

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
)

// maxBody is the longest body in bytes: an order of 100 lines has about 14,000.
const maxBody = 64 << 10

// decodable reads itself from JSON.
type decodable[T any] interface {
	*T
	read(r *reader)
}

// jsonBody is a request body that is decoded once, strictly, by its own type. huma only documents it: its
// own decoding would take it twice, and cannot say which field of which line is wrong.
type jsonBody[T any, P decodable[T]] struct{ Value T }

// Resolve implements huma.Resolver. Its error is a *Problem.
func (b *jsonBody[T, P]) Resolve(ctx huma.Context) []error {
	r, w := humachi.Unwrap(ctx)
	if p := readJSON(w, r, P(&b.Value)); p != nil {
		return []error{p}
	}
	return nil
}

// readJSON reads the body of a request into v; nil if it could.
func readJSON(w http.ResponseWriter, r *http.Request, v interface{ read(r *reader) }) *Problem {
	if p := checkContentType(r); p != nil {
		return p
	}
	text, p := readBody(w, r)
	if p != nil {
		return p
	}
	return decode(text, v)
}

// checkContentType takes application/json and nothing else. None at all is refused too: without a type a
// browser would send a body from any page to an API in reach, and ask nobody.
func checkContentType(r *http.Request) *Problem {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return newProblem(slugWrongType, "the body must not be encoded (Content-Encoding)")
	}
	// The usual spellings, without parsing them.
	switch r.Header.Get("Content-Type") {
	case "application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8":
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || mediaType != "application/json" || (charset != "" && !strings.EqualFold(charset, "utf-8")) {
		return newProblem(slugWrongType, "the Content-Type must be application/json, in UTF-8")
	}
	return nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *Problem) {
	tooLarge := newProblem(slugTooLarge, "the body may have at most %d bytes", maxBody)
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		return text, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return nil, newProblem(slugTooSlow, "the body did not arrive in time")
	}
	return nil, newProblem(slugMalformed, "the body broke off")
}

// decode reads exactly one JSON document into v. It is malformed if it is not JSON, has a name twice, or
// is nested deeper than any body may be; what is JSON and not what v wants is invalid, and names the
// fields.
func decode(text []byte, v interface{ read(r *reader) }) *Problem {
	if !utf8.Valid(text) {
		return newProblem(slugMalformed, "the body is not UTF-8")
	}
	r := newReader(text)
	v.read(r)
	r.end()
	switch {
	case r.err != nil && !errors.Is(r.err, errEnough):
		return newProblem(slugMalformed, "the body cannot be read as JSON: %s", r.err)
	case len(r.wrong) > 0:
		return invalidInput(r.wrong)
	}
	return nil
}
