-- Texts compare byte by byte: a trailing blank or another case is another key. No collation that does so is
-- known to both servers, so MySQL (from 8.0.17) reads one in the first comment and MariaDB one in the second.
-- MySQL cannot roll back DDL: IF NOT EXISTS lets a migration that died half way run again.

-- +goose Up
CREATE TABLE IF NOT EXISTS stock (
    sku        VARCHAR(64) NOT NULL PRIMARY KEY,
    on_hand    BIGINT      NOT NULL,
    reserved   BIGINT      NOT NULL DEFAULT 0,
    version    BIGINT      NOT NULL DEFAULT 1,
    created_at DATETIME(6) NOT NULL,
    CONSTRAINT stock_on_hand_not_negative CHECK (on_hand >= 0),
    CONSTRAINT stock_reserved_not_negative CHECK (reserved >= 0),
    CONSTRAINT stock_never_oversold CHECK (reserved <= on_hand)
) ENGINE = InnoDB CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS stock_movements (
    sku        VARCHAR(64)  NOT NULL,
    kind       VARCHAR(16)  NOT NULL,
    reference  VARCHAR(128) NOT NULL,
    quantity   BIGINT       NOT NULL,
    reason     VARCHAR(255) NOT NULL,
    created_at DATETIME(6)  NOT NULL,
    PRIMARY KEY (sku, kind, reference)
) ENGINE = InnoDB CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS orders (
    id               VARCHAR(30)  NOT NULL PRIMARY KEY,
    fingerprint      VARCHAR(22)  NOT NULL,
    customer_id      VARCHAR(64)  NOT NULL,
    currency         VARCHAR(3)   NOT NULL,
    payment_method   VARCHAR(128) NOT NULL,
    total            BIGINT       NOT NULL,
    status           VARCHAR(16)  NOT NULL,
    reason           VARCHAR(32)  NOT NULL DEFAULT '',
    detail           VARCHAR(512) NOT NULL DEFAULT '',
    held             BOOLEAN      NOT NULL,
    workflow_id      VARCHAR(255) NOT NULL,
    created_at       DATETIME(6)  NOT NULL,
    updated_at       DATETIME(6)  NOT NULL,
    settled_at       DATETIME(6)  NULL,
    attention_since  DATETIME(6)  NULL,
    attention_reason VARCHAR(512) NOT NULL DEFAULT '',
    KEY orders_by_age (created_at, id),
    KEY orders_by_status (status, created_at, id),
    KEY orders_by_customer (customer_id, created_at, id),
    KEY orders_by_settling (settled_at, created_at),
    KEY orders_by_attention (attention_since)
) ENGINE = InnoDB CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS order_lines (
    order_id   VARCHAR(30) NOT NULL,
    sku        VARCHAR(64) NOT NULL,
    quantity   BIGINT      NOT NULL,
    unit_price BIGINT      NOT NULL,
    PRIMARY KEY (order_id, sku),
    KEY order_lines_by_sku (sku)
) ENGINE = InnoDB CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- +goose Down
DROP TABLE IF EXISTS order_lines;
DROP TABLE IF EXISTS orders;
DROP TABLE IF EXISTS stock_movements;
DROP TABLE IF EXISTS stock;
