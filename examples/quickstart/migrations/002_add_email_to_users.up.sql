ALTER TABLE users ADD COLUMN email text;

CREATE UNIQUE INDEX idx_users_email ON users (email);
