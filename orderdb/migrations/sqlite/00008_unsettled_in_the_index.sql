-- Counting the unsettled orders reads the index alone.

-- +goose Up
DROP INDEX IF EXISTS orders_by_settling;
CREATE INDEX orders_by_settling ON orders (created_at, id, status, only_event, announced, settled_at) WHERE settled_at IS NULL;

-- +goose Down
DROP INDEX IF EXISTS orders_by_settling;
CREATE INDEX orders_by_settling ON orders (created_at) WHERE settled_at IS NULL;
