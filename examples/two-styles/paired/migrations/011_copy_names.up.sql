-- Description: Step 2: copy the data
-- Phase: MIGRATE

UPDATE users SET display_name = old_name WHERE display_name IS NULL;
