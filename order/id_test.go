package order_test

import (
	"regexp"
	"strings"
	"testing"

	"holdfast/order"
)

func TestTheSameCustomerAndKeyAreTheSameOrder(t *testing.T) {
	t.Parallel()
	if a, b := order.NewID("alice", "key"), order.NewID("alice", "key"); a != b {
		t.Errorf("two ids for one request: %s, %s", a, b)
	}
	// The id is on record and at the provider: another digest would lose every order under way.
	const known = order.ID("ord_x4bnjgubaszkskknblkrwrnm4u")
	if got := order.NewID("alice", "key-1"); got != known {
		t.Errorf("the id of alice's key-1 changed to %s, orders on record have %s", got, known)
	}
}

func TestNoOtherCustomerOrKeyIsTheSameOrder(t *testing.T) {
	t.Parallel()
	// Without the length of each field most of these would be digested as the same bytes.
	requests := [][2]string{
		{"ab", "c"},
		{"a", "bc"},
		{"abc", ""},
		{"", "abc"},
		{"a", "b\x00c"},
		{"a\x00b", "c"},
		{"c", "ab"},
		{"AB", "c"},
		{"ab ", "c"},
		{"ab", " c"},
		{"", ""},
		{"a", strings.Repeat("b", 255)},
		{"a", strings.Repeat("b", 256)},
		{"ab", strings.Repeat("b", 254)},
	}
	seen := map[order.ID][2]string{}
	for _, r := range requests {
		id := order.NewID(r[0], r[1])
		if other, clash := seen[id]; clash {
			t.Errorf("%q and %q are both %s", r, other, id)
		}
		seen[id] = r
	}
}

func TestAnIDHasItsShape(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^ord_[a-z2-7]{26}$`)
	for _, key := range []string{"", "a", strings.Repeat("~", 255), "ключ"} {
		id := order.NewID("alice", key)
		if !shape.MatchString(string(id)) {
			t.Errorf("the id of key %q is %s", key, id)
		}
		if parsed, err := order.ParseID(string(id)); err != nil || parsed != id {
			t.Errorf("ParseID(%s) = %s, %v", id, parsed, err)
		}
		if got := id.Digest(); "ord_"+got != string(id) {
			t.Errorf("the digest of %s is %s", id, got)
		}
	}
}

func TestAnythingElseIsNoID(t *testing.T) {
	t.Parallel()
	const digest = "abcdefghijklmnopqrstuvwxyz"
	for _, s := range []string{
		"", "ord_", digest, "ord_" + digest + "a", "ord_" + digest[1:], "ORD_" + digest, "ord_" + strings.ToUpper(digest),
		"ord-" + digest, " ord_" + digest, "ord_" + digest + " ", "ord_" + digest + "\n", "ord_" + digest[:25] + "1", "ord_" + digest[:25] + "é",
	} {
		if id, err := order.ParseID(s); err == nil || id != "" {
			t.Errorf("ParseID(%q) = %q, %v", s, id, err)
		} else {
			wantProblem(t, err, "id")
		}
	}
}
