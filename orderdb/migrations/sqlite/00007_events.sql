-- Which status of an order others were told of last, whether a cancelled one was confirmed before, whether a closed one owes
-- nothing but its event, and which receipts others have still to be told of.

-- +goose Up
ALTER TABLE orders ADD COLUMN announced TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN was_confirmed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE orders ADD COLUMN only_event BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE stock_movements ADD COLUMN owes_event BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX IF NOT EXISTS stock_movements_by_event ON stock_movements (created_at) WHERE owes_event;

-- +goose Down
DROP INDEX IF EXISTS stock_movements_by_event;
ALTER TABLE stock_movements DROP COLUMN owes_event;
ALTER TABLE orders DROP COLUMN announced;
ALTER TABLE orders DROP COLUMN was_confirmed;
ALTER TABLE orders DROP COLUMN only_event;
