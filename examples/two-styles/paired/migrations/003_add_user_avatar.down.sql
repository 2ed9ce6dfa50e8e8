-- Drop index first
DROP INDEX IF EXISTS idx_users_avatar_url;

-- Remove column
ALTER TABLE users DROP COLUMN IF EXISTS avatar_url;
