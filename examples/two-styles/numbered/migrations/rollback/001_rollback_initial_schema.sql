BEGIN;
DROP TABLE migration_logs, legacy_endorsements, endorsements, skill_claims, verifiers, profiles;
DROP TYPE claim_status;
COMMIT;
