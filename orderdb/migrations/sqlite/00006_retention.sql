-- What stays of an order that was purged, and how many rows were deleted on which day, and why. No row is deleted that is
-- not counted here in the same transaction.

-- +goose Up
CREATE TABLE IF NOT EXISTS stones (
    order_id    TEXT     NOT NULL PRIMARY KEY,
    fingerprint TEXT     NOT NULL,
    status      TEXT     NOT NULL,
    reason      TEXT     NOT NULL DEFAULT '',
    detail      TEXT     NOT NULL DEFAULT '',
    net         INTEGER  NOT NULL,
    currency    TEXT     NOT NULL,
    created_at  DATETIME NOT NULL,
    purged_at   DATETIME NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS deletions (
    day        TEXT    NOT NULL,
    from_table TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    deleted    INTEGER NOT NULL,
    PRIMARY KEY (day, from_table, reason)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE IF EXISTS deletions;
DROP TABLE IF EXISTS stones;
