package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"holdfast/order"
)

// Problem is the body of every answer that is not a success (RFC 9457).
type Problem struct { //nolint:errname // its name in the RFC, and so in the OpenAPI document
	Type    string       `json:"type" format:"uri-reference" example:"/problems/sold-out" doc:"What sort of problem it is. Programs decide by its last part, the slug."`
	Title   string       `json:"title" example:"Sold out" doc:"The sort of problem in words; the same for every problem of the type."`
	Status  int          `json:"status" example:"409" doc:"The HTTP status."`
	Detail  string       `json:"detail,omitempty" doc:"What happened this time."`
	Errors  []FieldError `json:"errors,omitempty" nullable:"false" doc:"The fields that are wrong, if fields are."`
	OrderID order.ID     `json:"order_id,omitempty" doc:"The order that ended this way. Of a 409 without it this request has started nothing: the same key may be sent again."`
	SKUs    []string     `json:"skus,omitempty" nullable:"false" doc:"The SKUs that are sold out, unknown or beyond their limit."`
	TraceID string       `json:"trace_id,omitempty" example:"4bf92f3577b34da6a3ce929d0e0e4736" doc:"The trace of this request, if it is traced. Whoever runs the API finds the request by it."`
	Failing []string     `json:"failing,omitempty" nullable:"false" doc:"Of readyz: what does not answer (mysql, temporal, redis)."`

	retryAfter int // seconds; 0 for no such header
}

// FieldError is what is wrong with one field of the input.
type FieldError struct {
	Field   string `json:"field" example:"lines[2].quantity" doc:"The field of the body, the header or the parameter."`
	Message string `json:"message" example:"must be 1 to 10000" doc:"What is wrong with it."`
}

// slug is the last part of a problem's type.
type slug string

// The slugs.
const (
	slugInvalid          slug = "invalid"
	slugMalformed        slug = "malformed"
	slugTooLarge         slug = "too-large"
	slugTooSlow          slug = "too-slow"
	slugWrongType        slug = "wrong-type"
	slugNotFound         slug = "not-found"
	slugPurged           slug = "purged"
	slugMethodNotAllowed slug = "method-not-allowed"
	slugBadSignature     slug = "bad-signature"
	slugCrossOrigin      slug = "cross-origin"
	slugPaymentDeclined  slug = "payment-declined"
	slugSoldOut          slug = "sold-out"
	slugLimitExceeded    slug = "limit-exceeded"
	slugUnknownSKU       slug = "unknown-sku"
	slugOrderClosed      slug = "order-closed"
	slugHandedOff        slug = "handed-off"
	slugKeyReused        slug = "key-reused"
	slugVersionRequired  slug = "version-required"
	slugStale            slug = "stale"
	slugBelowReserved    slug = "below-reserved"
	slugTooMany          slug = "too-many"
	slugFull             slug = "full"
	slugUnavailable      slug = "unavailable"
	slugInternal         slug = "internal"
)

// kind is a sort of problem.
type kind struct {
	slug   slug
	status int
	title  string
}

// kinds lists every sort of problem, as the OpenAPI document shows them.
var kinds = []kind{
	{slugInvalid, http.StatusUnprocessableEntity, "Invalid input"},
	{slugMalformed, http.StatusBadRequest, "Malformed request"},
	{slugTooLarge, http.StatusRequestEntityTooLarge, "Body too large"},
	{slugTooSlow, http.StatusRequestTimeout, "Body too slow"},
	{slugWrongType, http.StatusUnsupportedMediaType, "Not JSON"},
	{slugNotFound, http.StatusNotFound, "Not found"},
	{slugPurged, http.StatusGone, "Purged"},
	{slugMethodNotAllowed, http.StatusMethodNotAllowed, "Method not allowed"},
	{slugBadSignature, http.StatusBadRequest, "Bad signature"},
	{slugCrossOrigin, http.StatusForbidden, "Cross-origin request"},
	{slugPaymentDeclined, http.StatusPaymentRequired, "Payment declined"},
	{slugSoldOut, http.StatusConflict, "Sold out"},
	{slugLimitExceeded, http.StatusConflict, "Limit per customer exceeded"},
	{slugUnknownSKU, http.StatusConflict, "Unknown SKU"},
	{slugOrderClosed, http.StatusConflict, "Order closed"},
	{slugHandedOff, http.StatusConflict, "Handed off"},
	{slugKeyReused, http.StatusUnprocessableEntity, "Key reused"},
	{slugVersionRequired, http.StatusPreconditionRequired, "Version required"},
	{slugStale, http.StatusPreconditionFailed, "Stale version"},
	{slugBelowReserved, http.StatusConflict, "Below reserved"},
	{slugTooMany, http.StatusConflict, "Too many units"},
	{slugFull, http.StatusServiceUnavailable, "Too many orders"},
	{slugUnavailable, http.StatusServiceUnavailable, "Unavailable"},
	{slugInternal, http.StatusInternalServerError, "Internal error"},
}

func (s slug) kind() kind {
	for _, known := range kinds {
		if known.slug == s {
			return known
		}
	}
	return slugInternal.kind()
}

const problemType = "application/problem+json"

func newProblem(s slug, format string, args ...any) *Problem {
	known := s.kind()
	return &Problem{
		Type: "/problems/" + string(known.slug), Title: known.title, Status: known.status, Detail: fmt.Sprintf(format, args...),
	}
}

// wrongField is the problem of one field. The slug is slugInvalid or a closer one.
func wrongField(s slug, field, message string) *Problem {
	p := newProblem(s, "%s %s", field, message)
	p.Errors = []FieldError{{field, message}}
	return p
}

// maxFieldErrors bounds a problem's length: a body within its limits may be wrong in thousands of places.
const maxFieldErrors = 50

func invalidInput(wrong []FieldError) *Problem {
	p := newProblem(slugInvalid, "nothing was changed")
	if len(wrong) > maxFieldErrors {
		p.Detail = fmt.Sprintf("nothing was changed; the first %d of %d errors follow", maxFieldErrors, len(wrong))
		wrong = wrong[:maxFieldErrors]
	}
	p.Errors = wrong
	return p
}

// Error implements error.
func (p *Problem) Error() string { return cmp.Or(p.Detail, p.Title) }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	if p.retryAfter == 0 {
		return nil
	}
	return http.Header{"Retry-After": {strconv.Itoa(p.retryAfter)}}
}

// write answers a problem outside huma.
func write(w http.ResponseWriter, r *http.Request, p *Problem) {
	p.TraceID = traceID(r.Context())
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = marshal(w, p) // cannot fail: it has strings and numbers only
}

// explain turns a handler's error into the problem to answer. What is neither a problem nor wrong input
// came from inside: it is logged, here alone, and nothing of it is told.
func (a *API) explain(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if invalid, ok := errors.AsType[*order.ValidationError](err); ok {
		wrong := make([]FieldError, len(invalid.Problems))
		for i, w := range invalid.Problems {
			wrong[i] = FieldError(w)
		}
		return invalidInput(wrong)
	}
	return a.unavailable(ctx, err, "something that the answer needs does not respond; if this was to change anything, it is not known whether it did")
}

// unavailable logs the reason and answers without it. If the client hung up, or the server is stopping,
// the reason is only that. about are further attributes of the line.
func (a *API) unavailable(ctx context.Context, reason error, detail string, about ...any) *Problem {
	if ctx.Err() == nil {
		a.log(ctx).With(about...).ErrorContext(ctx, "answered unavailable", "error", reason)
	}
	p := newProblem(slugUnavailable, "%s", detail)
	p.retryAfter = 1
	return p
}

// humaProblem is what huma makes its errors with: of parameters, and of bodies by way of jsonBody.
func humaProblem(status int, message string, errs ...error) huma.StatusError {
	var wrong []FieldError
	for _, err := range errs {
		if p, ok := errors.AsType[*Problem](err); ok {
			return p
		}
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			wrong = append(wrong, FieldError{fieldOf(d.Location), d.Message})
		}
	}
	if status >= http.StatusInternalServerError {
		return newProblem(slugInternal, "something went wrong here")
	}
	if len(wrong) > 0 {
		return invalidInput(wrong)
	}
	return newProblem(slugMalformed, "%s", message)
}

// fieldOf makes a field of huma's location, such as "query.limit".
func fieldOf(location string) string {
	if _, name, found := strings.Cut(location, "."); found {
		return clip(name)
	}
	return location
}

// clip bounds what is echoed of the input.
func clip(s string) string {
	const limit = 64
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return s
}
