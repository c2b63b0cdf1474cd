-- What stays of an order that was purged, and how many rows were deleted on which day, and why. No row is deleted that is
-- not counted here in the same transaction.

-- +goose Up
CREATE TABLE IF NOT EXISTS stones (
    order_id    VARCHAR(30)  NOT NULL PRIMARY KEY,
    fingerprint VARCHAR(22)  NOT NULL,
    status      VARCHAR(16)  NOT NULL,
    reason      VARCHAR(32)  NOT NULL DEFAULT '',
    detail      VARCHAR(512) NOT NULL DEFAULT '',
    net         BIGINT       NOT NULL,
    currency    VARCHAR(3)   NOT NULL,
    created_at  DATETIME(6)  NOT NULL,
    purged_at   DATETIME(6)  NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS deletions (
    day        DATE        NOT NULL,
    from_table VARCHAR(64) NOT NULL,
    reason     VARCHAR(64) NOT NULL,
    deleted    BIGINT      NOT NULL,
    PRIMARY KEY (day, from_table, reason)
) ENGINE = InnoDB CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- +goose Down
DROP TABLE IF EXISTS deletions;
DROP TABLE IF EXISTS stones;
