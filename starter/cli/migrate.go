package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/orderdb"
	"holdfast/workflows"
)

// migrateConns is one connection for the lock and one for the migrations.
const migrateConns = 2

// migrateTimeout is long enough for an index over very many orders.
const migrateTimeout = time.Hour

// migrationDoc is what migrate did.
type migrationDoc struct {
	Schema struct {
		From int64 `json:"from"`
		To   int64 `json:"to"`
	} `json:"schema"`
	SearchAttributes *searchAttributesDoc `json:"search_attributes"` // null if left out
}

type searchAttributesDoc struct {
	Namespace string   `json:"namespace"`
	Added     []string `json:"added"` // sorted; empty if all were there
}

func (a *app) migrateCommand() *cobra.Command {
	var skipTemporal bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the order database and the Temporal namespace to this version",
		Long: `Bring the schema of the order database to this build's version, and register the search attributes
of PlaceOrder in the Temporal namespace. What is there already is left alone, so that it may be run
again at any time; two that run at once do so one after the other.

The database is HOLDFAST_MYSQL_DSN (MySQL or MariaDB, as user:password@tcp(host:port)/database) or
HOLDFAST_SQLITE_PATH (a file, made if it is absent): exactly one of them. Temporal is found by
TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and so on. Temporal's servers may take some seconds to notice
attributes that were added.`,
		Example: `  HOLDFAST_MYSQL_DSN='holdfast:secret@tcp(db:3306)/holdfast' TEMPORAL_ADDRESS=temporal:7233 starter migrate
  HOLDFAST_SQLITE_PATH=orders.db starter migrate --skip-temporal`,
		Args: takes(),
		RunE: run(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			return a.migrate(ctx, skipTemporal, timeout)
		}),
	}
	cmd.Flags().BoolVar(&skipTemporal, "skip-temporal", false, "migrate the order database alone")
	timeoutFlag(cmd, &timeout, migrateTimeout, "all of it may take")
	return cmd
}

func (a *app) migrate(ctx context.Context, skipTemporal bool, timeout time.Duration) error {
	var doc migrationDoc
	var err error
	if doc.Schema.From, doc.Schema.To, err = a.migrateDatabase(ctx); err != nil {
		return err
	}
	schema := fmt.Sprintf("schema %d → %d", doc.Schema.From, doc.Schema.To)
	if doc.Schema.From == doc.Schema.To {
		schema = fmt.Sprintf("schema %d: nothing to do", doc.Schema.To)
	}
	if err := a.tell(schema); err != nil {
		return err
	}
	if !skipTemporal {
		doc.SearchAttributes, err = a.migrateNamespace(ctx, timeout)
		if err != nil {
			return onlyHalf(err, schema)
		}
		attributes := "search attributes: nothing to do"
		if added := doc.SearchAttributes.Added; len(added) > 0 {
			attributes = "search attributes added: " + strings.Join(added, ", ")
		}
		if err := a.tell(attributes); err != nil {
			return err
		}
	}
	if a.output == formatJSON {
		return a.printAsJSON(doc)
	}
	return nil
}

// tell prints a line of the result, which in JSON mode comes as a document at the end.
func (a *app) tell(line string) error {
	if a.output == formatJSON {
		return nil
	}
	if _, err := fmt.Fprintln(a.stdout, line); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// onlyHalf says that the first half was done when the second failed.
func onlyHalf(err error, schema string) error {
	f, ok := errors.AsType[*failure](withCode(err))
	if !ok {
		return err
	}
	return f.advisef("The order database is done (%s); the search attributes are not. Run it again, or with --skip-temporal.", schema)
}

// migrateDatabase migrates the order database that the environment names.
func (a *app) migrateDatabase(ctx context.Context) (from, to int64, err error) {
	db, err := a.openDatabase()
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Disconnect()) }()
	if from, to, err = db.Migrate(ctx); err != nil {
		return 0, 0, errorf("failed", "The order database was not migrated", "%v", err)
	}
	// A schema that is newer than this build has nothing to migrate, and is still the wrong one.
	if err := db.CheckVersion(ctx); err != nil {
		return 0, 0, errorf("failed", "The order database does not suit this version", "%v", err)
	}
	return from, to, nil
}

func (a *app) openDatabase() (*orderdb.DB, error) {
	dsn, path := a.environ.get(envMySQL), a.environ.get(envSQLite)
	switch {
	case dsn == "" && path == "":
		return nil, usagef("which order database? Set %s or %s", envMySQL, envSQLite)
	case dsn != "" && path != "":
		return nil, usagef("which order database? Both %s and %s are set; unset one", envMySQL, envSQLite)
	case path != "":
		return orderdb.OpenSQLite(path)
	}
	db, err := orderdb.OpenMySQL(dsn, migrateConns, orderdb.WithPatience())
	if err != nil {
		return nil, usagef("%s: %v", envMySQL, err)
	}
	return db, nil
}

// migrateNamespace registers the search attributes in the namespace.
func (a *app) migrateNamespace(ctx context.Context, timeout time.Duration) (*searchAttributesDoc, error) {
	c, namespace, err := a.dialTemporal(ctx, min(timeout, defaultTimeout))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	added, err := addSearchAttributes(ctx, c.OperatorService(), namespace, workflows.SearchAttributes())
	if err != nil {
		return nil, err
	}
	return &searchAttributesDoc{Namespace: namespace, Added: added}, nil
}
