DELETE FROM migration_logs WHERE migration_name = '011_normalize_skill_names';
