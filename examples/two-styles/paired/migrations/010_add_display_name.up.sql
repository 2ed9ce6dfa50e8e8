-- Description: Step 1 of renaming old_name: add the new column
-- Phase: EXPAND

ALTER TABLE users ADD COLUMN display_name VARCHAR(100);
