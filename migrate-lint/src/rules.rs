//! The list of all rules.

mod add_column_domain_constraint;
mod add_column_inline_check;
mod add_column_inline_fk;
mod add_column_inline_unique;
mod add_column_not_null_no_default;
mod add_column_serial;
mod add_column_stored_generated;
mod add_column_volatile_default;
mod already_exists;
mod alter_type_constraint_recheck;
mod alter_type_rebuilds_index;
mod alter_type_rewrite;
mod alter_type_view_dep;
mod attach_partition_scan;
mod change_default;
mod check_not_valid_missing;
mod combine_alters;
mod concurrent_if_not_exists;
mod concurrent_index_corruption;
mod concurrent_with_lock_timeout;
mod contract_with_expand;
mod create_if_not_exists_drift;
mod create_partition_of;
mod create_table_fk_locks_parent;
mod definer_without_search_path;
mod detach_partition;
mod dml_after_ddl_same_tx;
mod dml_unbatched_large;
mod do_block_commit;
mod domain_constraint;
mod down_lossy;
mod down_not_inverse;
mod drop_cascade;
mod drop_column;
mod drop_column_view_dep;
mod drop_constraint;
mod drop_fk_locks_parent;
mod drop_index_not_concurrent;
mod drop_not_null;
mod drop_object;
mod drop_partition;
mod drop_schema;
mod drop_table;
mod drop_with_dependents;
mod duplicate_column_in_statement;
mod duplicate_migration;
mod enum_add_value_down;
mod enum_order;
mod enum_rename_value;
mod exclusion_constraint;
mod fk_invalid;
mod fk_not_valid_missing;
mod fk_two_tables_one_tx;
mod fk_type_mismatch;
mod fk_without_index;
mod identifier_too_long;
mod implicit_transaction;
mod index_not_concurrent;
mod index_on_partitioned;
mod insert_by_position;
mod lock_many_tables;
mod lock_table;
mod missing_lock_timeout;
mod missing_statement_timeout;
mod mysql_add_column_check;
mod mysql_add_not_null_no_default;
mod mysql_algorithm_not_stated;
mod mysql_algorithm_refused;
mod mysql_blocks_writes;
mod mysql_drop_with_dependents;
mod mysql_foreign_key_unchecked;
mod mysql_modify_loses;
mod mysql_random_default;
mod mysql_rebuilds_table;
mod mysql_references_ignored;
mod mysql_row_count;
mod mysql_several_ddl;
mod mysql_table_copy;
mod narrow_type;
mod not_idempotent;
mod not_null_might_fail;
mod partitioned_unsupported;
mod pk_using_index_nullable;
mod policy_ddl;
mod postgres_unsupported;
mod prefer_bigint;
mod prefer_identity;
mod prefer_jsonb;
mod prefer_text;
mod prefer_timestamptz;
mod primary_key_builds_index;
mod rebuild_drops_column;
mod rebuild_loses_index;
mod rebuild_loses_rows;
mod rebuild_unlocked;
mod refresh_matview_blocking;
mod reindex_not_concurrent;
mod rename_column;
mod rename_object;
mod rename_table;
mod replace_cascades;
mod revoke;
mod schema_not_qualified;
mod set_not_null_scan;
mod sqlite_add_column_default;
mod sqlite_add_column_unsupported;
mod sqlite_drop_column;
mod sqlite_drop_referenced;
mod sqlite_pragma_in_transaction;
mod sqlite_rebuild_cascade;
mod sqlite_rebuild_not_null;
mod sqlite_rebuild_view;
mod sqlite_rename_first;
mod sqlite_unsupported;
mod table_rewrite;
mod table_without_primary_key;
mod timestamp_to_timestamptz;
mod trigger_ddl;
mod truncate;
mod unique_constant_default;
mod unique_constraint_builds_index;
mod unique_might_fail;
mod unknown_object;
mod unknown_statement;
mod unparsed_sql;
mod update_delete_no_where;
mod update_limit;
mod validate_same_tx;
mod work_under_exclusive_lock;

use crate::rule::Rule;

/// All rules, by name.
pub static ALL: &[&Rule] = &[
    &add_column_domain_constraint::RULE,
    &add_column_inline_check::RULE,
    &add_column_inline_fk::RULE,
    &add_column_inline_unique::RULE,
    &add_column_not_null_no_default::RULE,
    &add_column_serial::RULE,
    &add_column_stored_generated::RULE,
    &add_column_volatile_default::RULE,
    &already_exists::RULE,
    &alter_type_constraint_recheck::RULE,
    &alter_type_rebuilds_index::RULE,
    &alter_type_rewrite::RULE,
    &alter_type_view_dep::RULE,
    &attach_partition_scan::RULE,
    &change_default::RULE,
    &check_not_valid_missing::RULE,
    &combine_alters::RULE,
    &concurrent_if_not_exists::RULE,
    &concurrent_index_corruption::RULE,
    &concurrent_with_lock_timeout::RULE,
    &contract_with_expand::RULE,
    &create_if_not_exists_drift::RULE,
    &create_partition_of::RULE,
    &create_table_fk_locks_parent::RULE,
    &definer_without_search_path::RULE,
    &detach_partition::RULE,
    &dml_after_ddl_same_tx::RULE,
    &dml_unbatched_large::RULE,
    &do_block_commit::RULE,
    &domain_constraint::RULE,
    &down_lossy::RULE,
    &down_not_inverse::RULE,
    &drop_cascade::RULE,
    &drop_column::RULE,
    &drop_column_view_dep::RULE,
    &drop_constraint::RULE,
    &drop_fk_locks_parent::RULE,
    &drop_index_not_concurrent::RULE,
    &drop_not_null::RULE,
    &drop_object::RULE,
    &drop_partition::RULE,
    &drop_schema::RULE,
    &drop_table::RULE,
    &drop_with_dependents::RULE,
    &duplicate_column_in_statement::RULE,
    &duplicate_migration::RULE,
    &enum_add_value_down::RULE,
    &enum_order::RULE,
    &enum_rename_value::RULE,
    &exclusion_constraint::RULE,
    &fk_invalid::RULE,
    &fk_not_valid_missing::RULE,
    &fk_two_tables_one_tx::RULE,
    &fk_type_mismatch::RULE,
    &fk_without_index::RULE,
    &identifier_too_long::RULE,
    &implicit_transaction::RULE,
    &index_not_concurrent::RULE,
    &index_on_partitioned::RULE,
    &insert_by_position::RULE,
    &lock_many_tables::RULE,
    &lock_table::RULE,
    &missing_lock_timeout::RULE,
    &missing_statement_timeout::RULE,
    &mysql_add_column_check::RULE,
    &mysql_add_not_null_no_default::RULE,
    &mysql_algorithm_not_stated::RULE,
    &mysql_algorithm_refused::RULE,
    &mysql_blocks_writes::RULE,
    &mysql_drop_with_dependents::RULE,
    &mysql_foreign_key_unchecked::RULE,
    &mysql_modify_loses::RULE,
    &mysql_random_default::RULE,
    &mysql_rebuilds_table::RULE,
    &mysql_references_ignored::RULE,
    &mysql_row_count::RULE,
    &mysql_several_ddl::RULE,
    &mysql_table_copy::RULE,
    &narrow_type::RULE,
    &not_idempotent::RULE,
    &not_null_might_fail::RULE,
    &partitioned_unsupported::RULE,
    &pk_using_index_nullable::RULE,
    &policy_ddl::RULE,
    &postgres_unsupported::RULE,
    &prefer_bigint::RULE,
    &prefer_identity::RULE,
    &prefer_jsonb::RULE,
    &prefer_text::RULE,
    &prefer_timestamptz::RULE,
    &primary_key_builds_index::RULE,
    &rebuild_drops_column::RULE,
    &rebuild_loses_index::RULE,
    &rebuild_loses_rows::RULE,
    &rebuild_unlocked::RULE,
    &refresh_matview_blocking::RULE,
    &reindex_not_concurrent::RULE,
    &rename_column::RULE,
    &rename_object::RULE,
    &rename_table::RULE,
    &replace_cascades::RULE,
    &revoke::RULE,
    &schema_not_qualified::RULE,
    &set_not_null_scan::RULE,
    &sqlite_add_column_default::RULE,
    &sqlite_add_column_unsupported::RULE,
    &sqlite_drop_column::RULE,
    &sqlite_drop_referenced::RULE,
    &sqlite_pragma_in_transaction::RULE,
    &sqlite_rebuild_cascade::RULE,
    &sqlite_rebuild_not_null::RULE,
    &sqlite_rebuild_view::RULE,
    &sqlite_rename_first::RULE,
    &sqlite_unsupported::RULE,
    &table_rewrite::RULE,
    &table_without_primary_key::RULE,
    &timestamp_to_timestamptz::RULE,
    &trigger_ddl::RULE,
    &truncate::RULE,
    &unique_constant_default::RULE,
    &unique_constraint_builds_index::RULE,
    &unique_might_fail::RULE,
    &unknown_object::RULE,
    &unknown_statement::RULE,
    &unparsed_sql::RULE,
    &update_delete_no_where::RULE,
    &update_limit::RULE,
    &validate_same_tx::RULE,
    &work_under_exclusive_lock::RULE,
];

/// The rule with a name.
pub fn find(name: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.code.name == name)
}

/// The name of a rule that is most similar to an unknown name.
pub fn nearest(name: &str) -> Option<&'static str> {
    migrate_model::suggestion::nearest(name, ALL.iter().map(|rule| rule.code.name))
}

#[cfg(test)]
mod tests;
