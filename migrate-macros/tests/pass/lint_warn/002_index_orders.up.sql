-- It finds orders of a user.
CREATE INDEX orders_user ON orders (user_id);
ALTER TABLE orders DROP COLUMN note;
