-- Description: No lock on writes while the index is built; found to run outside a transaction by itself

CREATE INDEX CONCURRENTLY idx_users_email ON users(email);
