DROP INDEX CONCURRENTLY IF EXISTS idx_skill_claims_status;
DROP INDEX CONCURRENTLY IF EXISTS idx_endorsements_endorsee_created;
DROP INDEX CONCURRENTLY IF EXISTS idx_active_claims;
