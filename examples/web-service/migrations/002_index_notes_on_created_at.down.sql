DROP INDEX CONCURRENTLY idx_notes_created_at;
