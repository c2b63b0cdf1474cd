package deploy_test

import (
	"strings"
	"testing"

	"holdfast/internal/testserver"
	"holdfast/orderdb"
)

// TestUsersOfMySQLHaveWhatTheyNeedAndNoMore on a server that has run the mounted file, as the image does.
func TestUsersOfMySQLHaveWhatTheyNeedAndNoMore(t *testing.T) {
	t.Parallel()
	server := testserver.MySQL(t)
	testserver.RunSQL(t, server, "mysql/users.sql")

	dsn := strings.Replace(readCompose(t).Services["migrate"].Environment["HOLDFAST_MYSQL_DSN"], "mysql:3306", server.Addr(), 1)
	orders, err := orderdb.OpenMySQL(dsn, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = orders.Disconnect() }()
	if _, to, err := orders.Migrate(t.Context()); err != nil || to == 0 {
		t.Fatalf("holdfast's user cannot migrate: version %d, %v", to, err)
	}
	if err := orders.CheckVersion(t.Context()); err != nil {
		t.Error(err)
	}
	for _, statement := range []string{
		"SELECT * FROM mysql.user", "CREATE DATABASE another", "CREATE USER another", "CREATE TABLE temporal.t (c INT)",
	} {
		if _, err := orders.Pool().ExecContext(t.Context(), statement); err == nil {
			t.Errorf("holdfast's user may do this: %s", statement)
		}
	}
}
