-- Migration: 006_modify_bio_length
-- Description: Increase bio column length from 500 to 1000 characters

BEGIN;

-- Check current data doesn't exceed new limit
DO $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM profiles WHERE LENGTH(bio) > 1000
    ) THEN
        RAISE EXCEPTION 'Existing data exceeds new limit';
    END IF;
END $$;

ALTER TABLE profiles
    ALTER COLUMN bio TYPE VARCHAR(1000);

ALTER TABLE profiles
    ADD CONSTRAINT check_bio_length
    CHECK (LENGTH(bio) <= 1000);

COMMIT;
