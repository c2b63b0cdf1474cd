-- What a person said of a charge that nobody else could know of, and how he knew.

-- +goose Up
ALTER TABLE orders ADD COLUMN by_hand TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN by_hand_note TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN by_hand_at DATETIME NULL;

-- +goose Down
ALTER TABLE orders DROP COLUMN by_hand;
ALTER TABLE orders DROP COLUMN by_hand_note;
ALTER TABLE orders DROP COLUMN by_hand_at;
