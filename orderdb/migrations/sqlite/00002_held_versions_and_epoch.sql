-- order_lines.held_version tells a count in Redis that was loaded before an order held its units from one that was
-- loaded after. front.epoch tells counts that may be trusted from those that were there before Redis was away.

-- +goose Up
ALTER TABLE order_lines ADD COLUMN held_version INTEGER NOT NULL DEFAULT 0;

CREATE TABLE front (
    id    INTEGER NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL
);

INSERT INTO front (id, epoch) VALUES (1, 1);

-- +goose Down
DROP TABLE front;
ALTER TABLE order_lines DROP COLUMN held_version;
