-- How many units of a SKU one customer may have. NULL is no limit.

-- +goose Up
-- MySQL has no ADD COLUMN IF NOT EXISTS.
SET @ddl = IF(EXISTS(SELECT 1 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'stock' AND column_name = 'limit_per_customer'),
    'DO 0', 'ALTER TABLE stock ADD COLUMN limit_per_customer BIGINT NULL CHECK (limit_per_customer >= 1)');
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;

-- +goose Down
ALTER TABLE stock DROP COLUMN limit_per_customer;
