package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
)

// Limits of a request.
const (
	maxBody         = 64 << 10  // bytes; a charge has about 150
	maxAmount int64 = 1<<53 - 1 // minor units: the largest integer that every JSON reader keeps exact
)

var (
	referenceShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	currencyShape  = regexp.MustCompile(`^[A-Z]{3}$`)
	methodShape    = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	keyShape       = regexp.MustCompile(`^[!-~]{1,255}$`)
)

// errBadInput marks what the sender of the request got wrong.
var errBadInput = errors.New("bad input")

func badInput(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errBadInput, fmt.Errorf(format, args...))
}

func readCharge(w http.ResponseWriter, r *http.Request) (key string, c charge, err error) {
	if key, err = readKey(r); err != nil {
		return "", charge{}, err
	}
	if err = decode(w, r, &c); err != nil {
		return "", charge{}, err
	}
	if err = checkReference(c.Reference); err != nil {
		return "", charge{}, err
	}
	switch {
	case c.Amount < 1 || c.Amount > maxAmount:
		err = badInput("amount must be 1 to %d minor units", maxAmount)
	case !currencyShape.MatchString(c.Currency):
		err = badInput("currency must be three capital letters")
	case !methodShape.MatchString(c.PaymentMethod):
		err = badInput("payment_method must be 1 to 128 characters of A-Z, a-z, 0-9 and . _ -")
	}
	return key, c, err
}

func readReversal(w http.ResponseWriter, r *http.Request) (reference string, err error) {
	var body struct {
		Reference string `json:"reference"`
	}
	if _, err := readKey(r); err != nil {
		return "", err
	}
	if err := decode(w, r, &body); err != nil {
		return "", err
	}
	return body.Reference, checkReference(body.Reference)
}

// readPage reads after, 0 by default, and limit, MaxPage by default.
func readPage(r *http.Request) (after int64, limit int, err error) {
	query, limit := r.URL.Query(), MaxPage
	if text := query.Get("after"); text != "" {
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
			return 0, 0, badInput("after must be an entry number, or 0 for the start")
		}
	}
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > MaxPage {
			return 0, 0, badInput("limit must be 1 to %d", MaxPage)
		}
	}
	return after, limit, nil
}

func readKey(r *http.Request) (string, error) {
	key := r.Header.Get("Idempotency-Key")
	if !keyShape.MatchString(key) {
		return "", badInput("Idempotency-Key must be 1 to 255 visible ASCII characters")
	}
	return key, nil
}

func checkReference(reference string) error {
	if !referenceShape.MatchString(reference) {
		return badInput("reference must be 1 to 64 characters of A-Z, a-z, 0-9 and _ -")
	}
	return nil
}

// decode takes exactly one JSON value and no unknown field: a sender's misspelling should show here and
// not at a real provider.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return badInput("body: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return badInput("body: something follows the JSON value")
	}
	return nil
}
