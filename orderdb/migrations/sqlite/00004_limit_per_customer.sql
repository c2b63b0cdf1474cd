-- How many units of a SKU one customer may have. NULL is no limit.

-- +goose Up
ALTER TABLE stock ADD COLUMN limit_per_customer INTEGER NULL CHECK (limit_per_customer >= 1);

-- +goose Down
ALTER TABLE stock DROP COLUMN limit_per_customer;
