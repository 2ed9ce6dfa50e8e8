-- Migration: Drop user preferences table
-- Version: 002 (DOWN)

-- Drop indexes first
DROP INDEX IF EXISTS idx_user_preferences_theme;
DROP INDEX IF EXISTS idx_user_preferences_user_id;

-- Drop table
DROP TABLE IF EXISTS user_preferences;
