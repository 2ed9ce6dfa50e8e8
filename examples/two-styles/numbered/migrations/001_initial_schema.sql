-- Migration: 001_initial_schema
-- Description: Profiles, claims, endorsements and verifiers

BEGIN;

CREATE TYPE claim_status AS ENUM ('Pending', 'Assigned', 'Approved', 'Rejected');

CREATE TABLE profiles (
    address VARCHAR(42) PRIMARY KEY,
    username VARCHAR(100) NOT NULL,
    bio VARCHAR(500),
    website VARCHAR(500)
);

CREATE TABLE verifiers (
    address VARCHAR(42) PRIMARY KEY,
    name VARCHAR(100) NOT NULL,
    active BOOLEAN NOT NULL DEFAULT TRUE
);

CREATE TABLE skill_claims (
    id SERIAL PRIMARY KEY,
    claimant_address VARCHAR(42) NOT NULL REFERENCES profiles(address) ON DELETE CASCADE,
    skill_name VARCHAR(100) NOT NULL,
    status claim_status NOT NULL DEFAULT 'Pending',
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE endorsements (
    id SERIAL PRIMARY KEY,
    endorser_address VARCHAR(42) NOT NULL,
    endorsee_address VARCHAR(42) NOT NULL,
    skill_name VARCHAR(100) NOT NULL,
    comment TEXT,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE legacy_endorsements (
    id SERIAL PRIMARY KEY,
    endorser VARCHAR(42) NOT NULL,
    endorsee VARCHAR(42) NOT NULL,
    skill_name VARCHAR(100) NOT NULL,
    comment TEXT,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    migrated BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE migration_logs (
    id SERIAL PRIMARY KEY,
    migration_name VARCHAR(255) NOT NULL,
    records_affected BIGINT NOT NULL,
    details JSONB
);

INSERT INTO legacy_endorsements (endorser, endorsee, skill_name)
SELECT '0xa' || n, '0xb' || n, CASE WHEN n % 2 = 0 THEN 'solidity' ELSE 'React' END FROM generate_series(1, 2500) AS n;

COMMIT;
