#!/bin/sh
# Makes the schemas of Temporal's two databases, or brings them up to date: what is there already stays. Where they are, and
# who may change them, is in the variables SQL_*.
set -eu
setup() { # DATABASE SCHEMA
	temporal-sql-tool --db "$1" setup-schema -v 0.0
	temporal-sql-tool --db "$1" update-schema --schema-name "mysql/v8/$2"
}
setup temporal temporal
setup temporal_visibility visibility
