-- Description: Step 3, in a later release: drop the old column
-- Phase: CONTRACT
-- migrate: gate SELECT count(*) = 0 FROM users WHERE old_name IS NOT NULL AND display_name IS NULL

ALTER TABLE users DROP COLUMN old_name;
