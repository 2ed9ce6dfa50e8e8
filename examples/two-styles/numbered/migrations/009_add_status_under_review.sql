-- Migration: 009_add_status_under_review
-- Description: A new value is used below, so the two statements cannot share a transaction; this is found by itself

ALTER TYPE claim_status ADD VALUE IF NOT EXISTS 'UnderReview' AFTER 'Pending';

CREATE INDEX idx_claims_under_review ON skill_claims(created_at) WHERE status = 'UnderReview';
