package cli

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"holdfast/internal/testserver"
)

const added = "search attributes added: Attention, CustomerID, OrderID\n"

func sqlite(t *testing.T) []string {
	t.Helper()
	return []string{"HOLDFAST_SQLITE_PATH=" + filepath.Join(t.TempDir(), "orders.db")}
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	server := new(temporalServer)
	environ := append(sqlite(t), "TEMPORAL_NAMESPACE=shop")
	try{change: server.use, environ: environ}.run(t, "migrate").check(t, 0, "schema 0 → 8\n"+added, "")
	same(t, "namespace", server.custom.asked[0], "shop")
	try{change: server.use, environ: environ}.run(t, "migrate").
		check(t, 0, "schema 8: nothing to do\nsearch attributes: nothing to do\n", "")
	try{change: server.use, environ: environ}.run(t, "migrate", "-o", "json").
		check(t, 0, `{"schema":{"from":8,"to":8},"search_attributes":{"namespace":"shop","added":[]}}`+"\n", "")
}

func TestMigrateSkipsTemporal(t *testing.T) {
	t.Parallel()
	try{environ: sqlite(t)}.run(t, "migrate", "--skip-temporal").check(t, 0, "schema 0 → 8\n", "")
	try{environ: sqlite(t)}.run(t, "migrate", "--skip-temporal", "-o", "json").
		check(t, 0, `{"schema":{"from":0,"to":8},"search_attributes":null}`+"\n", "")
}

func TestMigrateMariaDB(t *testing.T) {
	t.Parallel()
	environ := []string{"HOLDFAST_MYSQL_DSN=" + testserver.MariaDBDatabase(t)}
	try{environ: environ}.run(t, "migrate", "--skip-temporal").check(t, 0, "schema 0 → 8\n", "")
	try{environ: environ}.run(t, "migrate", "--skip-temporal").check(t, 0, "schema 8: nothing to do\n", "")
}

func TestMigrateNeedsOneDatabase(t *testing.T) {
	t.Parallel()
	for words, environ := range map[string][]string{
		"Set HOLDFAST_MYSQL_DSN or HOLDFAST_SQLITE_PATH\n":                        nil,
		"Both HOLDFAST_MYSQL_DSN and HOLDFAST_SQLITE_PATH are set; unset one\n":   {"HOLDFAST_MYSQL_DSN=x", "HOLDFAST_SQLITE_PATH=y"},
		"HOLDFAST_MYSQL_DSN: parse the MySQL DSN: it names no database\n":         {"HOLDFAST_MYSQL_DSN=root@tcp(127.0.0.1:3306)/"},
		"HOLDFAST_MYSQL_DSN: parse the MySQL DSN: invalid DSN: missing the slash": {"HOLDFAST_MYSQL_DSN=x"},
	} {
		got := try{environ: environ}.run(t, "migrate")
		if got.code != 2 {
			t.Errorf("%q: exit code %d", environ, got.code)
		}
		contains(t, "stderr", got.err, words, "See 'starter migrate --help'.\n")
	}
	got := try{environ: []string{"HOLDFAST_SQLITE_PATH=" + filepath.Join(t.TempDir(), "no", "folder", "orders.db")}}.run(t, "migrate")
	if got.code != 1 || got.out != "" {
		t.Errorf("exit code %d: %s", got.code, got.out)
	}
}

// TestMigrateRefusesANewerSchema shows that an old build does not call a newer schema its own.
func TestMigrateRefusesANewerSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.db")
	environ := []string{"HOLDFAST_SQLITE_PATH=" + path}
	try{environ: environ}.run(t, "migrate", "--skip-temporal").check(t, 0, "schema 0 → 8\n", "")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	got := try{environ: environ}.run(t, "migrate", "--skip-temporal")
	if got.code != 1 || got.out != "" {
		t.Errorf("exit code %d: %s", got.code, got.out)
	}
	contains(t, "stderr", got.err, "has schema version 999, this build needs 8")
}

// TestMigrateSaysWhatIsDone shows that a failure at Temporal does not hide that the schema changed.
func TestMigrateSaysWhatIsDone(t *testing.T) {
	t.Parallel()
	down := func(a *app) {
		a.dial = func(context.Context, client.Options) (client.Client, error) {
			return nil, errors.New("connection refused")
		}
	}
	got := try{environ: sqlite(t), change: down}.run(t, "migrate")
	got.check(t, 1, "schema 0 → 8\n", `Not reachable: cannot reach Temporal at localhost:7233: connection refused
Is it running? Its address comes from TEMPORAL_ADDRESS.
The order database is done (schema 0 → 8); the search attributes are not. Run it again, or with --skip-temporal.
`)
	got = try{environ: sqlite(t), change: down}.run(t, "migrate", "-o", "json")
	same(t, "stdout", got.out, `{"type":"/problems/unreachable","title":"Not reachable",`+
		`"detail":"cannot reach Temporal at localhost:7233: connection refused"}`+"\n")
}

func TestMigrateSearchAttributes(t *testing.T) {
	t.Parallel()
	type types = map[string]enums.IndexedValueType
	const keyword, boolean = enums.INDEXED_VALUE_TYPE_KEYWORD, enums.INDEXED_VALUE_TYPE_BOOL
	for name, test := range map[string]struct {
		has  searchAttributes
		code int
		out  string // after the schema's line
		err  string
	}{
		"some are there": {has: searchAttributes{types: types{"OrderID": keyword, "Other": boolean}}, out: "search attributes added: Attention, CustomerID\n"},
		"all are there":  {has: searchAttributes{types: types{"OrderID": keyword, "CustomerID": keyword, "Attention": boolean}}, out: "search attributes: nothing to do\n"},
		"somebody adds all": {
			has: searchAttributes{meanwhile: types{"OrderID": keyword, "CustomerID": keyword, "Attention": boolean}}, out: "search attributes: nothing to do\n",
		},
		"somebody adds one": {has: searchAttributes{meanwhile: types{"OrderID": keyword}}, out: "search attributes added: Attention, CustomerID\n"},
		"another type": {
			has: searchAttributes{types: types{"Attention": keyword, "OrderID": boolean}}, code: 1,
			err: "Search attributes of another type are there already: namespace default: Attention is Keyword and must be Bool; OrderID is Bool and must be Keyword\n",
		},
		"no namespace": {
			has: searchAttributes{absent: true}, code: 1,
			err: "No such namespace: Temporal has no namespace default\nCreate it first: temporal operator namespace create --namespace default\n",
		},
		"not allowed": {
			has: searchAttributes{refuses: serviceerror.NewPermissionDenied("no", "")}, code: 1,
			err: "The search attributes were not added: namespace default: no\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &temporalServer{custom: test.has}
			got := try{environ: sqlite(t), change: server.use}.run(t, "migrate")
			if got.code != test.code {
				t.Errorf("exit code %d, want %d", got.code, test.code)
			}
			same(t, "stdout", got.out, "schema 0 → 8\n"+test.out)
			contains(t, "stderr", got.err, test.err)
		})
	}
}
