-- Migration: 004_add_verifier_specializations
-- Description: Add specializations table for verifier skill categories
-- Author: DevOps Team
-- Date: 2025-02-20
-- Dependencies: 001_initial_schema.sql

-- ============================================
-- UP MIGRATION
-- ============================================

BEGIN;

-- Create new table
CREATE TABLE IF NOT EXISTS verifier_specializations (
    id SERIAL PRIMARY KEY,
    verifier_address VARCHAR(42) NOT NULL,
    specialization VARCHAR(100) NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,

    -- Foreign key constraint
    CONSTRAINT fk_verifier
        FOREIGN KEY (verifier_address)
        REFERENCES verifiers(address)
        ON DELETE CASCADE,

    -- Unique constraint
    CONSTRAINT unique_verifier_specialization
        UNIQUE (verifier_address, specialization)
);

CREATE INDEX idx_verifier_specializations_address
    ON verifier_specializations(verifier_address);

COMMENT ON TABLE verifier_specializations IS
    'Stores skill specializations for each verifier';

COMMIT;
