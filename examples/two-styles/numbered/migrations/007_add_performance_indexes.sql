-- Migration: 007_add_performance_indexes
-- Description: Add indexes for common query patterns

-- Use CONCURRENTLY to avoid table locks; without BEGIN and COMMIT, because it cannot run in a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_skill_claims_status
    ON skill_claims(status);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_endorsements_endorsee_created
    ON endorsements(endorsee_address, created_at DESC);

-- Partial index for active claims only
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_active_claims
    ON skill_claims(claimant_address)
    WHERE status IN ('Pending', 'Assigned');
