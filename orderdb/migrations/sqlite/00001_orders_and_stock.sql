-- +goose Up
CREATE TABLE IF NOT EXISTS stock (
    sku        TEXT     NOT NULL PRIMARY KEY,
    on_hand    INTEGER  NOT NULL,
    reserved   INTEGER  NOT NULL DEFAULT 0,
    version    INTEGER  NOT NULL DEFAULT 1,
    created_at DATETIME NOT NULL,
    CONSTRAINT stock_on_hand_not_negative CHECK (on_hand >= 0),
    CONSTRAINT stock_reserved_not_negative CHECK (reserved >= 0),
    CONSTRAINT stock_never_oversold CHECK (reserved <= on_hand)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS stock_movements (
    sku        TEXT     NOT NULL,
    kind       TEXT     NOT NULL,
    reference  TEXT     NOT NULL,
    quantity   INTEGER  NOT NULL,
    reason     TEXT     NOT NULL,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (sku, kind, reference)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS orders (
    id               TEXT     NOT NULL PRIMARY KEY,
    fingerprint      TEXT     NOT NULL,
    customer_id      TEXT     NOT NULL,
    currency         TEXT     NOT NULL,
    payment_method   TEXT     NOT NULL,
    total            INTEGER  NOT NULL,
    status           TEXT     NOT NULL,
    reason           TEXT     NOT NULL DEFAULT '',
    detail           TEXT     NOT NULL DEFAULT '',
    held             BOOLEAN  NOT NULL,
    workflow_id      TEXT     NOT NULL,
    created_at       DATETIME NOT NULL,
    updated_at       DATETIME NOT NULL,
    settled_at       DATETIME NULL,
    attention_since  DATETIME NULL,
    attention_reason TEXT     NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS orders_by_age ON orders (created_at, id);
CREATE INDEX IF NOT EXISTS orders_by_status ON orders (status, created_at, id);
CREATE INDEX IF NOT EXISTS orders_by_customer ON orders (customer_id, created_at, id);
CREATE INDEX IF NOT EXISTS orders_by_settling ON orders (created_at) WHERE settled_at IS NULL;
CREATE INDEX IF NOT EXISTS orders_by_attention ON orders (attention_since) WHERE attention_since IS NOT NULL;

CREATE TABLE IF NOT EXISTS order_lines (
    order_id   TEXT    NOT NULL,
    sku        TEXT    NOT NULL,
    quantity   INTEGER NOT NULL,
    unit_price INTEGER NOT NULL,
    PRIMARY KEY (order_id, sku)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS order_lines_by_sku ON order_lines (sku);

-- +goose Down
DROP TABLE IF EXISTS order_lines;
DROP TABLE IF EXISTS orders;
DROP TABLE IF EXISTS stock_movements;
DROP TABLE IF EXISTS stock;
