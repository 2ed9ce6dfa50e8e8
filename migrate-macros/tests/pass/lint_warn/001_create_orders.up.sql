CREATE TABLE orders (id bigint PRIMARY KEY, user_id int, note text);
