-- The pages of hand-offs, and which orders are assigned to them. An order's only row here is the compare of its
-- assignment, and whoever cancels looks for it. If the warehouse rejected the order, the row assigns it to nothing any
-- more, and keeps the cutoff up to which no hand-off takes it again.

-- +goose Up
CREATE TABLE IF NOT EXISTS handoff_pages (
    handoff_id   VARCHAR(64)  NOT NULL,
    page         INT          NOT NULL,
    cutoff       DATETIME(6)  NOT NULL,
    orders       INT          NOT NULL,
    rejected     INT          NOT NULL DEFAULT 0,
    problem      VARCHAR(512) NOT NULL DEFAULT '',
    assigned_at  DATETIME(6)  NOT NULL,
    delivered_at DATETIME(6)  NULL,
    PRIMARY KEY (handoff_id, page),
    KEY handoff_pages_by_delivery (delivered_at, assigned_at, handoff_id, page)
) ENGINE = InnoDB CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS handoff_orders (
    order_id        VARCHAR(30) NOT NULL PRIMARY KEY,
    handoff_id      VARCHAR(64) NOT NULL,
    page            INT         NOT NULL,
    rejected_cutoff DATETIME(6) NULL,
    KEY handoff_orders_by_page (handoff_id, page, order_id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- +goose Down
DROP TABLE IF EXISTS handoff_orders;
DROP TABLE IF EXISTS handoff_pages;
