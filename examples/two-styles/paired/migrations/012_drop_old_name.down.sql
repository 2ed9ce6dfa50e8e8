ALTER TABLE users ADD COLUMN old_name VARCHAR(100);
UPDATE users SET old_name = display_name;
