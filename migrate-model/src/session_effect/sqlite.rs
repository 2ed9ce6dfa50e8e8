//! What a statement of SQLite does to its session: PRAGMAs, attached databases, temporary objects.
//!
//! Sources: SQLite, "PRAGMA Statements", "ATTACH DATABASE".

use super::reader::creates_temporary;
use super::{SessionEffect, bare, has, is, meaningful};
use crate::dialect::Dialect;
use crate::statement::Statement;
use crate::token::{Kind, Token};

/// `CREATE TABLE temp.t`, on SQLite, which reads a string as a name, too.
fn names_temporary(sql: &str, tokens: &[Token]) -> bool {
    let is_name = |token: &Token| matches!(token.kind, Kind::Word | Kind::QuotedName | Kind::Text);
    let is_temporary = |at: usize| is_name(&tokens[at]) && bare(tokens[at].text(sql)) == "temp";
    let schema = |at: usize| is_temporary(at) && tokens.get(at + 1).is_some_and(|dot| dot.is_symbol(sql, b'.'));
    is(tokens, sql, 0, "CREATE") && (1..tokens.len()).any(schema)
}

/// The effect of a statement of SQLite.
pub fn effect(sql: &str, tokens: &[Token]) -> SessionEffect {
    let in_memory = |token: &Token| matches!(token.text(sql), "':memory:'" | "''") || token.text(sql).contains("mode=memory");
    if is(tokens, sql, 0, "ATTACH") && tokens.iter().any(in_memory) {
        SessionEffect::Unrepeatable
    } else if is(tokens, sql, 0, "ATTACH") && tokens.iter().any(|token| token.is_symbol(sql, b'(') || token.is_symbol(sql, b'|'))
    {
        // The name of the file is computed.
        SessionEffect::Unrepeatable
    } else if is(tokens, sql, 0, "ATTACH") || is(tokens, sql, 0, "DETACH") {
        SessionEffect::Setting
    } else if is(tokens, sql, 0, "PRAGMA") {
        pragma(sql, tokens)
    } else if creates_temporary(sql, tokens) || names_temporary(sql, tokens) {
        SessionEffect::Unrepeatable
    } else if ["load_extension", "fts3_tokenizer"].iter().any(|word| has(tokens, sql, word)) {
        SessionEffect::Unknown
    } else {
        SessionEffect::None
    }
}

/// The effect of `PRAGMA name`, `PRAGMA schema.name = value` or `PRAGMA name(value)`.
fn pragma(sql: &str, tokens: &[Token]) -> SessionEffect {
    let qualified = usize::from(tokens.get(2).is_some_and(|dot| dot.is_symbol(sql, b'.'))) * 2;
    let Some(name) = tokens.get(1 + qualified).map(|name| bare(name.text(sql))) else { return SessionEffect::Unknown };
    let reads = tokens.len() <= 2 + qualified;
    if name == "journal_mode" {
        // Only WAL is stored in the file.
        let of_file = ["wal", "delete"].iter().any(|mode| tokens.iter().any(|token| bare(token.text(sql)) == *mode));
        if reads || of_file { SessionEffect::None } else { SessionEffect::Setting }
    } else if FILE_PRAGMAS.contains(&name.as_str()) {
        SessionEffect::None
    } else if SESSION_PRAGMAS.contains(&name.as_str()) {
        if reads { SessionEffect::None } else { SessionEffect::Setting }
    } else {
        SessionEffect::Unknown
    }
}

/// PRAGMAs that decide the form of a file, and take effect only before its first table. Source: SQLite, "PRAGMA Statements".
const FORM_PRAGMAS: [&str; 3] = ["auto_vacuum", "encoding", "page_size"];

/// The statements at the start of a script that decide the form of an empty file. What only reads or sets something may precede
/// them. `None` if the script writes nothing to the file, so that a later script decides.
pub fn file_form<'s>(text: &'s str, statements: &'s [Statement]) -> Option<Vec<&'s str>> {
    let mut form = Vec::new();
    // The first page fixes everything but the encoding.
    let mut has_page = false;
    for statement in statements {
        let sql = statement.sql(text);
        let tokens = meaningful(sql, Dialect::Sqlite);
        let name = pragma_name(sql, &tokens);
        match name.as_deref() {
            Some("encoding") => form.push(sql),
            Some(name) if FORM_PRAGMAS.contains(&name) && !has_page => form.push(sql),
            Some("user_version" | "application_id" | "journal_mode") => has_page = true,
            Some(_) => {}
            None if ["BEGIN", "SELECT", "EXPLAIN", "VALUES", "ATTACH"].iter().any(|word| is(&tokens, sql, 0, word)) => {}
            None => return Some(form),
        }
    }
    has_page.then_some(form)
}

fn pragma_name(sql: &str, tokens: &[Token]) -> Option<String> {
    let qualified = usize::from(tokens.get(2).is_some_and(|dot| dot.is_symbol(sql, b'.'))) * 2;
    let name = tokens.get(1 + qualified).map(|name| bare(name.text(sql)))?;
    is(tokens, sql, 0, "PRAGMA").then_some(name)
}

/// PRAGMAs that read, change the file, or execute an action once. Source: SQLite, "PRAGMA Statements".
const FILE_PRAGMAS: [&str; 28] = [
    "application_id",
    "default_cache_size",
    "collation_list",
    "compile_options",
    "data_version",
    "database_list",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "incremental_vacuum",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "module_list",
    "optimize",
    "page_count",
    "pragma_list",
    "quick_check",
    "schema_version",
    "shrink_memory",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
    "wal_checkpoint",
];

/// PRAGMAs that are settings of the connection. `auto_vacuum` and `page_size` of a file with tables are settings until `VACUUM`
/// writes the whole file. Source: SQLite, "PRAGMA Statements".
const SESSION_PRAGMAS: [&str; 36] = [
    "auto_vacuum",
    "page_size",
    "analysis_limit",
    "automatic_index",
    "busy_timeout",
    "cache_size",
    "cache_spill",
    "case_sensitive_like",
    "cell_size_check",
    "checkpoint_fullfsync",
    "count_changes",
    "defer_foreign_keys",
    "empty_result_callbacks",
    "foreign_keys",
    "full_column_names",
    "fullfsync",
    "hard_heap_limit",
    "ignore_check_constraints",
    "journal_size_limit",
    "legacy_alter_table",
    "locking_mode",
    "max_page_count",
    "mmap_size",
    "query_only",
    "read_uncommitted",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "short_column_names",
    "soft_heap_limit",
    "synchronous",
    "temp_store",
    "threads",
    "trusted_schema",
    "wal_autocheckpoint",
    "writable_schema",
];
