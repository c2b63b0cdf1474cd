package cli

import (
	"strings"
	"testing"
)

const (
	holdsDoc = `{"holds":true,"violations":[],"omitted":0,"checked":{"skus":3,"redis_counts":2,"orders":40,"ledger_entries":38},` +
		`"in_flight":1,"oldest_in_flight":{"order_id":"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa","status":"PENDING","created_at":"2026-11-20T10:00:00Z"},` +
		`"notes":["the ledger grew meanwhile"],"at":"2026-11-20T11:00:00Z"}`
	brokenDoc = `{"holds":false,"violations":[{"kind":"oversold","subject":"mug","message":"11 units are sold, 10 existed"}],"omitted":2,` +
		`"checked":{"skus":1,"redis_counts":0,"orders":2,"ledger_entries":2},"in_flight":0,"oldest_in_flight":null,"notes":[],"at":"2026-11-20T11:00:00Z"}`
)

func TestAudit(t *testing.T) {
	t.Parallel()
	api := answers(reply{status: 200, body: holdsDoc})
	try{api: api}.run(t, "audit").check(t, 0, `Promises hold     yes
Violations        0
Checked           3 SKUs, 2 counts in Redis, 40 orders, 38 ledger entries, 0 arrivals in the warehouse
Orders in flight  1, the oldest ord_aaaaaaaaaaaaaaaaaaaaaaaaaa (PENDING, placed 2026-11-20T10:00:00Z)
At                2026-11-20T11:00:00Z
Note              the ledger grew meanwhile
`, "")
	try{api: api}.run(t, "audit", "-o", "json").check(t, 0, holdsDoc+"\n", "")
}

func TestAuditThatDoesNotHold(t *testing.T) {
	t.Parallel()
	api := answers(reply{status: 200, body: brokenDoc})
	try{api: api}.run(t, "audit").check(t, 1, `Promises hold     no
Violations        1, and 2 suspicions that were not looked at twice
Checked           1 SKUs, 0 counts in Redis, 2 orders, 2 ledger entries, 0 arrivals in the warehouse
Orders in flight  0
At                2026-11-20T11:00:00Z

VIOLATION  SUBJECT  WHAT WAS FOUND
oversold   mug      11 units are sold, 10 existed
`, "The audit was made, and the promises DO NOT HOLD.\n")
	try{api: api}.run(t, "audit", "-o", "json").check(t, 1, brokenDoc+"\n", "The audit was made, and the promises DO NOT HOLD.\n")
}

// TestAuditThatDidNotGetThrough shows that what was not looked at never looks as if it held, nor as if it did not.
func TestAuditThatDidNotGetThrough(t *testing.T) {
	t.Parallel()
	const said = "The audit DID NOT GET THROUGH: its time ran out. This says nothing about what it did not look at.\n"
	doc := strings.Replace(holdsDoc, `"holds":true`, `"holds":false,"complete":false`, 1)
	got := try{api: answers(reply{status: 200, body: doc})}.run(t, "audit")
	contains(t, "stdout", got.out, "Promises hold     not known: the audit did not get through\n")
	got.check(t, 1, got.out, said)

	doc = strings.Replace(brokenDoc, `"holds":false`, `"holds":false,"complete":false`, 1)
	got = try{api: answers(reply{status: 200, body: doc})}.run(t, "audit")
	contains(t, "stdout", got.out, "Promises hold     no\n")
	got.check(t, 1, got.out, "The audit was made, and the promises DO NOT HOLD.\n"+said)
}

// TestAuditThatCouldNotBeMade shows that no audit never looks like a bad one, nor like a good one.
func TestAuditThatCouldNotBeMade(t *testing.T) {
	t.Parallel()
	for _, r := range []reply{
		{status: 503, body: unavailableDoc},
		{status: 404, body: notFoundDoc},
		{status: 200, body: `{}`},
		{status: 200, body: `{"holds":"yes"}`},
		{drop: true},
	} {
		got := try{api: answers(r)}.run(t, "audit")
		if got.code != 1 {
			t.Errorf("%v: exit code %d", r, got.code)
		}
		contains(t, "stderr", got.err, "THE AUDIT COULD NOT BE MADE. This says nothing about the promises.\n")
		lacks(t, "stderr", got.err, "HOLD.\n")
		same(t, "stdout", got.out, "")
	}
	got := try{}.run(t, "audit", "--api", "nowhere")
	if got.code != 2 {
		t.Errorf("exit code %d for a wrong URL", got.code)
	}
}
