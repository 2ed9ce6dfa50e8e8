-- Rollback: 004_add_verifier_specializations
-- Description: Remove verifier specializations table
-- WARNING: This will delete all specialization data

BEGIN;
DROP INDEX IF EXISTS idx_verifier_specializations_address;
DROP TABLE IF EXISTS verifier_specializations;
COMMIT;
