-- order_lines.held_version tells a count in Redis that was loaded before an order held its units from one that was
-- loaded after. front.epoch tells counts that may be trusted from those that were there before Redis was away.

-- +goose Up
-- MySQL has no ADD COLUMN IF NOT EXISTS.
SET @ddl = IF(EXISTS(SELECT 1 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'order_lines' AND column_name = 'held_version'),
    'DO 0', 'ALTER TABLE order_lines ADD COLUMN held_version BIGINT NOT NULL DEFAULT 0');
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;

CREATE TABLE IF NOT EXISTS front (
    id    TINYINT NOT NULL PRIMARY KEY,
    epoch BIGINT  NOT NULL
) ENGINE = InnoDB;

INSERT IGNORE INTO front (id, epoch) VALUES (1, 1);

-- +goose Down
DROP TABLE IF EXISTS front;
ALTER TABLE order_lines DROP COLUMN held_version;
