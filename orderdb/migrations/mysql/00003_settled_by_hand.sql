-- What a person said of a charge that nobody else could know of, and how he knew.

-- +goose Up
-- MySQL has no ADD COLUMN IF NOT EXISTS.
SET @ddl = IF(EXISTS(SELECT 1 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'by_hand'),
    'DO 0', 'ALTER TABLE orders ADD COLUMN by_hand VARCHAR(16) NOT NULL DEFAULT '''',
    ADD COLUMN by_hand_note VARCHAR(512) NOT NULL DEFAULT '''', ADD COLUMN by_hand_at DATETIME(6) NULL');
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;

-- +goose Down
ALTER TABLE orders DROP COLUMN by_hand, DROP COLUMN by_hand_note, DROP COLUMN by_hand_at;
