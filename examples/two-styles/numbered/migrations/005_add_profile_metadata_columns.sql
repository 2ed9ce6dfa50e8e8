-- Migration: 005_add_profile_metadata_columns
-- Description: Add avatar_uri and location columns to profiles

BEGIN;

ALTER TABLE profiles
    ADD COLUMN IF NOT EXISTS avatar_uri TEXT DEFAULT NULL,
    ADD COLUMN IF NOT EXISTS location VARCHAR(200) DEFAULT NULL;

COMMIT;
