-- Which status of an order others were told of last, whether a cancelled one was confirmed before, whether a closed one owes
-- nothing but its event, and which receipts others have still to be told of.

-- +goose Up
-- MySQL has no ADD COLUMN IF NOT EXISTS.
SET @ddl = IF(EXISTS(SELECT 1 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'announced'),
    'DO 0', 'ALTER TABLE orders ADD COLUMN announced VARCHAR(16) NOT NULL DEFAULT '''', ADD COLUMN was_confirmed BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN only_event BOOLEAN NOT NULL DEFAULT FALSE');
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;
SET @ddl = IF(EXISTS(SELECT 1 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'stock_movements' AND column_name = 'owes_event'),
    'DO 0', 'ALTER TABLE stock_movements ADD COLUMN owes_event BOOLEAN NOT NULL DEFAULT FALSE, ADD KEY stock_movements_by_event (owes_event, created_at)');
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;

-- +goose Down
ALTER TABLE stock_movements DROP KEY stock_movements_by_event, DROP COLUMN owes_event;
ALTER TABLE orders DROP COLUMN announced, DROP COLUMN was_confirmed, DROP COLUMN only_event;
