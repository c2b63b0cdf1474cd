-- The pages of hand-offs, and which orders are assigned to them. An order's only row here is the compare of its
-- assignment, and whoever cancels looks for it. If the warehouse rejected the order, the row assigns it to nothing any
-- more, and keeps the cutoff up to which no hand-off takes it again.

-- +goose Up
CREATE TABLE IF NOT EXISTS handoff_pages (
    handoff_id   TEXT     NOT NULL,
    page         INTEGER  NOT NULL,
    cutoff       DATETIME NOT NULL,
    orders       INTEGER  NOT NULL,
    rejected     INTEGER  NOT NULL DEFAULT 0,
    problem      TEXT     NOT NULL DEFAULT '',
    assigned_at  DATETIME NOT NULL,
    delivered_at DATETIME NULL,
    PRIMARY KEY (handoff_id, page)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS handoff_pages_by_delivery ON handoff_pages (assigned_at, handoff_id, page) WHERE delivered_at IS NULL;

CREATE TABLE IF NOT EXISTS handoff_orders (
    order_id        TEXT     NOT NULL PRIMARY KEY,
    handoff_id      TEXT     NOT NULL,
    page            INTEGER  NOT NULL,
    rejected_cutoff DATETIME NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS handoff_orders_by_page ON handoff_orders (handoff_id, page, order_id);

-- +goose Down
DROP TABLE IF EXISTS handoff_orders;
DROP TABLE IF EXISTS handoff_pages;
