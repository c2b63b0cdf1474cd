package order_test

import (
	"regexp"
	"slices"
	"testing"

	"holdfast/order"
)

func TestEveryFieldOfTheRequestChangesTheFingerprint(t *testing.T) {
	t.Parallel()
	was := placed(t, good()).Fingerprint()
	changes := map[string]func(*request){
		"customer":       func(r *request) { r.customer = "bob" },
		"currency":       func(r *request) { r.currency = "USD" },
		"payment method": func(r *request) { r.payment = "tok_slow" },
		"SKU":            func(r *request) { r.lines[0].SKU = "Mug" },
		"quantity":       func(r *request) { r.lines[0].Quantity++ },
		"price":          func(r *request) { r.lines[1].UnitPrice++ },
		"a line more":    func(r *request) { r.lines = append(r.lines, order.Line{SKU: "spoon", Quantity: 1}) },
		"a line less":    func(r *request) { r.lines = r.lines[:1] },
		"prices swapped": func(r *request) {
			r.lines[0].UnitPrice, r.lines[1].UnitPrice = r.lines[1].UnitPrice, r.lines[0].UnitPrice
		},
		"fields run over": func(r *request) { r.customer, r.payment = "alic", "etok_ok" },
		// The same bytes without a length before each SKU.
		"SKUs run over": func(r *request) { r.lines[0].SKU, r.lines[1].SKU = "mu", "gplate" },
	}
	seen := map[order.Fingerprint]string{was: "the request itself"}
	for name, change := range changes {
		r := good()
		change(&r)
		fingerprint := placed(t, r).Fingerprint()
		if other, clash := seen[fingerprint]; clash {
			t.Errorf("%s: has the fingerprint of %s", name, other)
		}
		seen[fingerprint] = name
	}
}

func TestTheSameRequestWrittenOtherwiseHasTheSameFingerprint(t *testing.T) {
	t.Parallel()
	want := placed(t, good()).Fingerprint()
	for name, rewrite := range map[string]func(*request){
		"lines in another order": func(r *request) { slices.Reverse(r.lines) },
		"a line in two parts": func(r *request) {
			r.lines = append(r.lines, r.lines[0])
			r.lines[0].Quantity, r.lines[2].Quantity = 1, 1
		},
		// The key names the order; it is no part of what was ordered.
		"another key": func(r *request) { r.key = "key-2" },
	} {
		r := good()
		rewrite(&r)
		if got := placed(t, r).Fingerprint(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestAFingerprintFitsWhereItIsKept(t *testing.T) {
	t.Parallel()
	o := placed(t, good())
	// A column of 22 ASCII characters, and a word in Redis that ends at a blank.
	if got := o.Fingerprint(); !regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`).MatchString(string(got)) {
		t.Errorf("the fingerprint is %q", got)
	}
	if o.Key() != (order.Key{ID: o.ID, Fingerprint: o.Fingerprint()}) {
		t.Errorf("the key is %v", o.Key())
	}
	// Reservations and rows hold it: another digest would refuse every repeat as a reused key.
	const known = order.Fingerprint("E8kA_0o2-BulX4h3atFJnQ")
	if got := o.Fingerprint(); got != known {
		t.Errorf("the fingerprint of the good request changed to %s, rows on record have %s", got, known)
	}
}
