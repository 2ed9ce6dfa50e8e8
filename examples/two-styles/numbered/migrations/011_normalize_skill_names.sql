-- Migration: 011_normalize_skill_names
-- Description: Standardize skill name capitalization

BEGIN;

-- Create temporary mapping table
CREATE TEMP TABLE skill_name_mapping ON COMMIT DROP AS
SELECT DISTINCT
    skill_name AS old_name,
    INITCAP(LOWER(skill_name)) AS new_name
FROM endorsements
WHERE skill_name != INITCAP(LOWER(skill_name));

UPDATE endorsements e
SET skill_name = snm.new_name
FROM skill_name_mapping snm
WHERE e.skill_name = snm.old_name;

-- Log changes
INSERT INTO migration_logs (migration_name, records_affected, details)
SELECT
    '011_normalize_skill_names',
    COUNT(*),
    jsonb_build_object('mappings', jsonb_agg(jsonb_build_object('old', old_name, 'new', new_name)))
FROM skill_name_mapping;

COMMIT;
