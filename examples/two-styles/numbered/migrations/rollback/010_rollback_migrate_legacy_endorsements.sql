BEGIN;
DELETE FROM endorsements;
UPDATE legacy_endorsements SET migrated = FALSE;
COMMIT;
