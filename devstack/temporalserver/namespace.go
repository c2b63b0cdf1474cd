package temporalserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	persistencesql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/common/searchattribute/sadefs"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retention is how long a finished workflow can still be looked at. A week lets someone study on Monday what
// a weekend's sale did, where the default of a day would have forgotten it, and bounds the files. Nothing of
// the product rests on it: the rows in MySQL are what guards an id against being used twice.
const retention = 7 * 24 * time.Hour

// setUpNamespace creates the namespace or adds the search attributes that it lacks. It writes to the store
// before the server runs: there, the services see a new attribute only when their caches next refresh, and
// a workflow started before that with it is refused.
func setUpNamespace(
	ctx context.Context,
	store *config.SQL,
	name string,
	attributes map[string]enums.IndexedValueType,
) error {
	db, err := persistencesql.NewSQLDB(
		sqlplugin.DbKindMain, store, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()

	rows, err := db.SelectFromNamespace(ctx, sqlplugin.NamespaceFilter{Name: &name})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return createNamespace(store, name, attributes)
	case err != nil:
		return err
	}
	return addToNamespace(ctx, db, rows[0], attributes)
}

func createNamespace(store *config.SQL, name string, attributes map[string]enums.IndexedValueType) error {
	ns, err := sqliteschema.NewNamespaceConfig(clusterName, name, false, nil)
	if err != nil {
		return err
	}
	ns.Detail.Config.Retention = durationpb.New(retention)
	if _, err := addAttributes(ns.Detail.GetConfig(), attributes); err != nil {
		return err
	}
	return sqliteschema.CreateNamespaces(store, ns)
}

func addToNamespace(
	ctx context.Context,
	db sqlplugin.DB,
	row sqlplugin.NamespaceRow,
	attributes map[string]enums.IndexedValueType,
) error {
	codec := serialization.NewSerializer()
	detail, err := codec.NamespaceDetailFromBlob(persistence.NewDataBlob(row.Data, row.DataEncoding))
	if err != nil {
		return err
	}
	changed, err := addAttributes(detail.GetConfig(), attributes)
	if err != nil || !changed {
		return err
	}
	blob, err := codec.NamespaceDetailToBlob(detail)
	if err != nil {
		return err
	}
	row.Data, row.DataEncoding = blob.GetData(), blob.GetEncodingType().String()
	_, err = db.UpdateNamespace(ctx, &row)
	return err
}

// addAttributes gives each wanted attribute that ns does not have a free column of its type. SQL visibility
// has a fixed number of columns a type (ten for keywords, three for most others).
func addAttributes(
	ns *persistencespb.NamespaceConfig,
	wanted map[string]enums.IndexedValueType,
) (changed bool, err error) {
	columns := sadefs.GetDBIndexSearchAttributes(nil).GetCustomSearchAttributes()
	if ns.CustomSearchAttributeAliases == nil {
		ns.CustomSearchAttributeAliases = map[string]string{}
	}
	have := map[string]enums.IndexedValueType{}
	for column, name := range ns.GetCustomSearchAttributeAliases() {
		have[name] = columns[column]
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		kind := wanted[name]
		switch old, ok := have[name]; {
		case ok && old == kind:
			continue
		case ok:
			return false, fmt.Errorf("search attribute %s is %s in the files and cannot become %s", name, old, kind)
		}
		column, err := freeColumn(columns, ns.GetCustomSearchAttributeAliases(), kind)
		if err != nil {
			return false, fmt.Errorf("search attribute %s: %w", name, err)
		}
		ns.CustomSearchAttributeAliases[column] = name
		changed = true
	}
	return changed, nil
}

func freeColumn(
	columns map[string]enums.IndexedValueType,
	taken map[string]string,
	kind enums.IndexedValueType,
) (string, error) {
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		if _, ok := taken[column]; !ok && columns[column] == kind {
			return column, nil
		}
	}
	return "", fmt.Errorf("all columns of type %s are taken", kind)
}
