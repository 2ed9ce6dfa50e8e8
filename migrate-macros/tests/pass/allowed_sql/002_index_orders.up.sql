-- migrate: allow index-not-concurrent: the table is small
CREATE INDEX orders_user ON orders (user_id);
-- migrate: allow drop-column: nobody has read it since 2.3
ALTER TABLE orders DROP COLUMN note;
