//! Whether a `SET` of MySQL sets the same when a new session runs it again.
//!
//! Only what is known to have the same value there counts: constants, user variables that were set before, functions of their
//! arguments alone, and settings with which a session starts. Most system variables are none of these: `@@timestamp` passes,
//! `@@pseudo_thread_id` is the number of the session, `@@last_insert_id` is what a statement has left.

use super::{SessionEffect, bare, functions, has, is};
use crate::assignment::{self, Assignment, Scope};
use crate::token::{Kind, Token};

/// `SET a = 1, @b = 2`: a setting if nothing but the session changes, and only to values that a new session has, too.
pub(super) fn effect(sql: &str, tokens: &[Token]) -> SessionEffect {
    let second = |words: &[&str]| words.iter().any(|word| is(tokens, sql, 1, word));
    let wider = ["GLOBAL", "PERSIST", "PERSIST_ONLY"].iter().any(|word| has(tokens, sql, word));
    if second(&["PASSWORD"]) {
        return SessionEffect::None;
    }
    if wider || second(&["DEFAULT"]) {
        // A new session starts with other values than this one has.
        return SessionEffect::Unrepeatable;
    }
    let assignments = assignment::read(sql, tokens);
    let is_same = if assignments.is_empty() {
        // `SET NAMES`, `SET ROLE` and others consist of names.
        !has(tokens, sql, "SELECT") && has_known_calls(sql, tokens) && !has_computed_word(sql, tokens)
    } else {
        assignments.iter().all(|assignment| sets_same(sql, assignment))
    };
    if is_same { SessionEffect::Setting } else { SessionEffect::Unrepeatable }
}

fn sets_same(sql: &str, assignment: &Assignment<'_>) -> bool {
    let value = assignment.value;
    if assignment.scope == Scope::Session && FOR_ONE_STATEMENT.contains(&assignment.name.as_str()) {
        return false;
    }
    // The value of a setting may be a word, that of a variable is an expression.
    let is_word_known = |token: &Token| match assignment.scope {
        Scope::Variable => WORDS.iter().any(|word| token.is_word(sql, word)),
        _ => !has_computed_word(sql, std::slice::from_ref(token)),
    };
    let called = |at: usize| value.get(at + 1).is_some_and(|next| next.is_symbol(sql, b'('));
    // `@name` and `@@[scope.]name`, and `_utf8mb4'text'`.
    let is_part = |at: usize| {
        let before = at.checked_sub(1).map(|at| &value[at]);
        let introduces = value.get(at + 1).is_some_and(|next| next.kind == Kind::Text && next.start == value[at].end);
        let names = ["COLLATE", "USING", "SET"].iter().any(|word| before.is_some_and(|before| before.is_word(sql, word)));
        let follows = before.is_some_and(|before| before.is_symbol(sql, b'@') || before.is_symbol(sql, b'.'));
        introduces || names || follows || is_scope(sql, value, at)
    };
    has_known_calls(sql, value)
        && reads_known_settings(sql, value)
        && value.iter().enumerate().all(|(at, token)| match token.kind {
            Kind::Word => called(at) || is_part(at) || is_word_known(token),
            Kind::QuotedName => assignment.scope == Scope::Session || is_part(at),
            Kind::Executable => false,
            _ => true,
        })
}

/// `session` in `@@session.name`.
fn is_scope(sql: &str, tokens: &[Token], at: usize) -> bool {
    at >= 2 && tokens[at - 1].is_symbol(sql, b'@') && tokens[at - 2].is_symbol(sql, b'@')
}

/// Does the result of each function that is called depend on its arguments alone?
fn has_known_calls(sql: &str, tokens: &[Token]) -> bool {
    tokens.windows(2).all(|pair| {
        let is_call = matches!(pair[0].kind, Kind::Word | Kind::QuotedName) && pair[1].is_symbol(sql, b'(');
        let is_operator = WORDS.iter().any(|word| pair[0].is_word(sql, word));
        !is_call || is_operator || functions::is_repeatable(&bare(pair[0].text(sql)))
    })
}

/// Is each `@@name` a setting with which a session starts, and not one of the server?
fn reads_known_settings(sql: &str, tokens: &[Token]) -> bool {
    (0..tokens.len()).all(|at| match assignment::system_variable(sql, &tokens[at..]) {
        Some((is_global, name, _)) => !is_global && SETTINGS.split_ascii_whitespace().any(|known| known == name),
        None => true,
    })
}

fn has_computed_word(sql: &str, tokens: &[Token]) -> bool {
    tokens.iter().any(|token| COMPUTED.iter().any(|word| token.is_word(sql, word)))
}

/// Settings that apply to the next statement or transaction only, or that each statement changes.
const FOR_ONE_STATEMENT: [&str; 9] = [
    "insert_id",
    "last_insert_id",
    "identity",
    "rand_seed1",
    "rand_seed2",
    "gtid_next",
    "gtid_seq_no",
    "wsrep_gtid_seq_no",
    "sql_slave_skip_counter",
];

/// Functions without parentheses whose value a new session would compute again.
const COMPUTED: [&str; 14] = [
    "CURRENT_TIMESTAMP",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_USER",
    "CURRENT_ROLE",
    "SESSION_USER",
    "SYSTEM_USER",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "UTC_TIMESTAMP",
    "UTC_DATE",
    "UTC_TIME",
    "SYSDATE",
    "NEXT",
];

/// The words of expressions that are neither a function nor a name.
const WORDS: [&str; 56] = [
    "TRUE",
    "FALSE",
    "NULL",
    "UNKNOWN",
    "ON",
    "OFF",
    "DEFAULT",
    "BINARY",
    "AND",
    "OR",
    "XOR",
    "NOT",
    "IS",
    "LIKE",
    "RLIKE",
    "REGEXP",
    "IN",
    "BETWEEN",
    "DIV",
    "MOD",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "ESCAPE",
    "COLLATE",
    "AS",
    "USING",
    "CHAR",
    "CHARACTER",
    "SET",
    "SIGNED",
    "UNSIGNED",
    "INTEGER",
    "INT",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "DATE",
    "TIME",
    "DATETIME",
    "JSON",
    "INTERVAL",
    "SECOND",
    "MINUTE",
    "HOUR",
    "DAY",
    "WEEK",
    "MONTH",
    "QUARTER",
    "YEAR",
    "BOTH",
    "LEADING",
    "TRAILING",
    "FROM",
];

/// Settings that a session starts with and that nothing but a `SET` changes. Source: `information_schema.SYSTEM_VARIABLES` of
/// MariaDB 10.11; MySQL 8.4 manual, 7.1.8.
const SETTINGS: &str = " alter_algorithm analyze_max_length analyze_sample_percentage auto_increment_increment auto_increment_offset \
    autocommit big_tables binlog_annotate_row_events binlog_direct_non_transactional_updates binlog_format binlog_row_image \
    binlog_row_value_options binlog_rows_query_log_events block_encryption_mode bulk_insert_buffer_size character_set_client \
    character_set_connection character_set_filesystem character_set_results character_set_server check_constraint_checks \
    collation_connection collation_server column_compression_threshold completion_type cte_max_recursion_depth \
    default_collation_for_utf8mb4 default_regex_flags default_storage_engine default_table_encryption default_tmp_storage_engine \
    default_week_format div_precision_increment end_markers_in_json enforce_storage_engine eq_range_index_dive_limit \
    explicit_defaults_for_timestamp foreign_key_checks group_concat_max_len gtid_domain_id histogram_generation_max_mem_size \
    histogram_size histogram_type idle_transaction_timeout in_predicate_conversion_threshold information_schema_stats_expiry \
    innodb_compression_default innodb_default_encryption_key_id innodb_ft_enable_stopword innodb_ft_user_stopword_table \
    innodb_lock_wait_timeout innodb_snapshot_isolation innodb_strict_mode innodb_table_locks innodb_tmpdir interactive_timeout \
    join_buffer_size join_cache_level lc_messages lc_time_names lock_wait_timeout log_queries_not_using_indexes log_slow_filter \
    log_slow_query_time log_slow_verbosity log_warnings long_query_time low_priority_updates max_allowed_packet \
    max_delayed_threads max_error_count max_execution_time max_heap_table_size max_join_size max_length_for_sort_data \
    max_recursive_iterations max_seeks_for_key max_session_mem_used max_sort_length max_sp_recursion_depth max_statement_time \
    max_tmp_tables min_examined_row_limit myisam_repair_threads myisam_sort_buffer_size myisam_stats_method net_buffer_length \
    net_read_timeout net_retry_count net_write_timeout new note_verbosity old old_alter_table old_mode old_passwords \
    optimizer_prune_level optimizer_search_depth optimizer_switch optimizer_trace optimizer_trace_features \
    optimizer_use_condition_selectivity preload_buffer_size print_identified_with_as_hex profiling profiling_history_size \
    pseudo_slave_mode query_alloc_block_size query_cache_type query_prealloc_size range_alloc_block_size \
    range_optimizer_max_mem_size read_buffer_size read_rnd_buffer_size session_track_gtids session_track_schema \
    session_track_state_change session_track_system_variables session_track_transaction_info show_create_table_skip_secondary_engine \
    show_create_table_verbosity show_old_temporals skip_replication slow_query_log sort_buffer_size sql_auto_is_null \
    sql_big_selects sql_buffer_result sql_generate_invisible_primary_key sql_if_exists sql_log_bin sql_log_off sql_mode sql_notes \
    sql_quote_show_create sql_require_primary_key sql_safe_updates sql_select_limit sql_warnings standard_compliant_cte \
    storage_engine system_versioning_alter_history system_versioning_asof system_versioning_insert_history time_zone \
    tmp_disk_table_size tmp_memory_table_size tmp_table_size transaction_isolation transaction_prealloc_size transaction_read_only \
    tx_isolation tx_read_only unique_checks updatable_views_with_limit use_secondary_engine use_stat_tables wait_timeout \
    windowing_use_high_precision wsrep_on wsrep_osu_method wsrep_sync_wait xa_detach_on_prepare ";
