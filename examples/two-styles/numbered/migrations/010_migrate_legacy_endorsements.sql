-- Migration: 010_migrate_legacy_endorsements
-- Description: Migrate endorsements from old format to new schema

DO $$
DECLARE
    batch_size INT := 1000;
    processed INT := 0;
BEGIN
    LOOP
        WITH batch AS (
            UPDATE legacy_endorsements
            SET migrated = TRUE
            WHERE id IN (
                SELECT id FROM legacy_endorsements
                WHERE migrated = FALSE
                ORDER BY id
                LIMIT batch_size
                FOR UPDATE SKIP LOCKED
            )
            RETURNING endorser, endorsee, skill_name, comment, created_at
        )
        INSERT INTO endorsements (endorser_address, endorsee_address, skill_name, comment, created_at)
        SELECT endorser, endorsee, skill_name, comment, created_at FROM batch;

        GET DIAGNOSTICS processed = ROW_COUNT;
        EXIT WHEN processed = 0;

        -- Commit batch
        COMMIT;
    END LOOP;

    RAISE NOTICE 'Migration complete!';
END $$;
