//! The checks of other tools, and the equivalent rules.
//!
//! Sources: the lists of rules in the documentation of squawk 2.68 and eugene 0.8, the README of strong_migrations 2, and the
//! page of analyzers in the documentation of Atlas.

/// A check of another tool.
#[derive(Debug)]
pub struct ToolCheck {
    /// Name of the tool, as the tool writes it.
    pub tool: &'static str,
    /// Name of the check in that tool.
    pub name: &'static str,
    /// The equivalent rules and other codes of `cargo migrate explain`; empty if there is none.
    pub codes: &'static [&'static str],
}

const fn squawk(name: &'static str, codes: &'static [&'static str]) -> ToolCheck {
    ToolCheck { tool: "squawk", name, codes }
}

const fn eugene(name: &'static str, codes: &'static [&'static str]) -> ToolCheck {
    ToolCheck { tool: "eugene", name, codes }
}

const fn strong(name: &'static str, codes: &'static [&'static str]) -> ToolCheck {
    ToolCheck { tool: "strong_migrations", name, codes }
}

const fn atlas(name: &'static str, codes: &'static [&'static str]) -> ToolCheck {
    ToolCheck { tool: "Atlas", name, codes }
}

/// All known checks, grouped by tool.
pub static ALL: &[ToolCheck] = &[
    squawk("adding-field-with-default", &["add-column-volatile-default", "add-column-stored-generated"]),
    squawk("adding-foreign-key-constraint", &["fk-not-valid-missing", "add-column-inline-fk"]),
    squawk("adding-not-nullable-field", &["set-not-null-scan"]),
    squawk("adding-required-field", &["add-column-not-null-no-default"]),
    squawk("adding-serial-primary-key-field", &["primary-key-builds-index", "add-column-serial"]),
    squawk("ban-add-column", &["add-column-volatile-default", "add-column-not-null-no-default"]),
    squawk("ban-add-composite-attribute", &[]),
    squawk("ban-add-enum-value", &["enum-add-value-down"]),
    squawk("ban-alter-database-options", &[]),
    squawk("ban-alter-domain-with-add-constraint", &["domain-constraint"]),
    squawk("ban-alter-extension", &[]),
    squawk("ban-alter-function-options", &[]),
    squawk("ban-alter-generated-expression", &[]),
    squawk("ban-alter-identity", &[]),
    squawk("ban-alter-policy-condition", &["policy-ddl"]),
    squawk("ban-alter-policy-roles", &["policy-ddl"]),
    squawk("ban-alter-role-options", &[]),
    squawk("ban-alter-row-level-security", &["policy-ddl"]),
    squawk("ban-alter-sequence-values", &[]),
    squawk("ban-alter-system-options", &["cannot-run-in-transaction"]),
    squawk("ban-alter-view-options", &[]),
    squawk("ban-char-field", &["prefer-text"]),
    squawk("ban-concurrent-index-creation-in-transaction", &["cannot-run-in-transaction", "implicit-transaction"]),
    squawk("ban-create-domain-with-constraint", &["domain-constraint", "add-column-domain-constraint"]),
    squawk("ban-create-policy", &["policy-ddl"]),
    squawk("ban-detach-inheritance", &["detach-partition"]),
    squawk("ban-disable-trigger", &["trigger-ddl"]),
    squawk("ban-drop-column", &["drop-column"]),
    squawk("ban-drop-constraint", &["drop-constraint"]),
    squawk("ban-drop-database", &["drop-schema"]),
    squawk("ban-drop-default", &["change-default"]),
    squawk("ban-drop-domain", &["drop-object"]),
    squawk("ban-drop-extension", &["drop-object"]),
    squawk("ban-drop-function", &["drop-object"]),
    squawk("ban-drop-generated-expression", &[]),
    squawk("ban-drop-index", &["drop-constraint", "drop-index-not-concurrent"]),
    squawk("ban-drop-not-null", &["drop-not-null"]),
    squawk("ban-drop-policy", &["policy-ddl"]),
    squawk("ban-drop-schema", &["drop-schema"]),
    squawk("ban-drop-sequence", &["drop-object"]),
    squawk("ban-drop-table", &["drop-table"]),
    squawk("ban-drop-trigger", &["trigger-ddl"]),
    squawk("ban-drop-type", &["drop-object"]),
    squawk("ban-drop-view", &["drop-object"]),
    squawk("ban-duplicate-column-assignments", &["duplicate-column-in-statement"]),
    squawk("ban-new-write-restriction", &["not-null-might-fail", "unique-might-fail"]),
    squawk("ban-replace-view-function", &[]),
    squawk("ban-replica-identity", &[]),
    squawk("ban-revoke", &["revoke"]),
    squawk("ban-set-default", &["change-default"]),
    squawk("ban-set-schema", &["rename-table", "rename-object"]),
    squawk("ban-truncate-cascade", &["truncate"]),
    squawk("ban-uncommitted-transaction", &["unbalanced-transaction"]),
    squawk("changing-column-type", &["alter-type-rewrite", "alter-type-rebuilds-index", "narrow-type"]),
    squawk("constraint-missing-not-valid", &["check-not-valid-missing", "fk-not-valid-missing", "validate-same-tx"]),
    squawk("disallowed-unique-constraint", &["unique-constraint-builds-index", "add-column-inline-unique"]),
    squawk("identifier-too-long", &["identifier-too-long"]),
    squawk("prefer-bigint-over-int", &["prefer-bigint"]),
    squawk("prefer-bigint-over-smallint", &["prefer-bigint"]),
    squawk("prefer-identity", &["prefer-identity"]),
    squawk("prefer-repack", &["table-rewrite"]),
    squawk("prefer-robust-stmts", &["not-idempotent"]),
    squawk("prefer-text-field", &["prefer-text"]),
    squawk("prefer-timestamp-tz", &["prefer-timestamptz"]),
    squawk("prefer-timestamptz", &["prefer-timestamptz"]),
    squawk("renaming-column", &["rename-column"]),
    squawk("renaming-object", &["rename-object"]),
    squawk("renaming-table", &["rename-table"]),
    squawk("require-concurrent-index-creation", &["index-not-concurrent", "index-on-partitioned"]),
    squawk("require-concurrent-index-deletion", &["drop-index-not-concurrent"]),
    squawk("require-concurrent-partition-detach", &["detach-partition"]),
    squawk("require-concurrent-reindex", &["reindex-not-concurrent"]),
    squawk("require-enum-value-ordering", &["enum-order"]),
    squawk("require-lock-timeout", &["missing-lock-timeout"]),
    squawk("require-statement-timeout", &["missing-statement-timeout"]),
    squawk("require-table-schema", &["schema-not-qualified"]),
    squawk("require-timeout-settings", &["missing-lock-timeout", "missing-statement-timeout"]),
    squawk("transaction-nesting", &["unbalanced-transaction"]),
    squawk("unused-ignore", &["unused-allow"]),
    eugene("E1", &["check-not-valid-missing", "fk-not-valid-missing", "add-column-inline-check"]),
    eugene("E2", &["set-not-null-scan"]),
    eugene("E3", &["prefer-jsonb"]),
    eugene("E4", &["work-under-exclusive-lock", "dml-after-ddl-same-tx"]),
    eugene("E5", &["alter-type-rewrite"]),
    eugene("E6", &["index-not-concurrent"]),
    eugene("E7", &["unique-constraint-builds-index", "primary-key-builds-index"]),
    eugene("E8", &["exclusion-constraint"]),
    eugene("E9", &["missing-lock-timeout"]),
    eugene("E10", &["table-rewrite", "alter-type-rewrite"]),
    eugene("E11", &["add-column-serial", "add-column-stored-generated"]),
    eugene("E15", &["fk-without-index"]),
    eugene("W12", &["combine-alters"]),
    eugene("W13", &["enum-rename-value", "enum-add-value-down"]),
    eugene("W14", &["pk-using-index-nullable"]),
    strong("add_check_constraint", &["check-not-valid-missing", "mysql-table-copy"]),
    strong("add_column_auto_incrementing", &["add-column-serial"]),
    strong("add_column_default", &["add-column-volatile-default"]),
    strong("add_column_default_callable", &["add-column-volatile-default", "mysql-random-default"]),
    strong("add_column_generated_stored", &["add-column-stored-generated"]),
    strong("add_column_json", &["prefer-jsonb"]),
    strong("add_exclusion_constraint", &["exclusion-constraint"]),
    strong("add_foreign_key", &["fk-not-valid-missing", "mysql-table-copy"]),
    strong("add_index", &["index-not-concurrent"]),
    strong("add_index_corruption", &["concurrent-index-corruption"]),
    strong("add_reference", &["index-not-concurrent", "add-column-inline-fk"]),
    strong("add_unique_constraint", &["unique-constraint-builds-index"]),
    strong("change_column", &["alter-type-rewrite", "alter-type-rebuilds-index", "timestamp-to-timestamptz", "mysql-table-copy"]),
    strong("change_column_constraint", &["alter-type-constraint-recheck"]),
    strong("change_column_default", &["change-default"]),
    strong("change_column_null", &["set-not-null-scan", "not-null-might-fail"]),
    strong("execute", &["unparsed-sql"]),
    strong("remove_column", &["drop-column"]),
    strong("remove_index", &["drop-index-not-concurrent"]),
    strong("rename_column", &["rename-column"]),
    strong("rename_enum_value", &["enum-rename-value"]),
    strong("rename_schema", &["rename-object"]),
    strong("rename_table", &["rename-table"]),
    strong("validate_check_constraint", &["validate-same-tx"]),
    strong("validate_foreign_key", &["validate-same-tx"]),
    atlas("BC101", &["rename-table"]),
    atlas("BC102", &["rename-column"]),
    atlas("CD101", &["drop-constraint"]),
    atlas("DS101", &["drop-schema"]),
    atlas("DS102", &["drop-table"]),
    atlas("DS103", &["drop-column"]),
    atlas("LT101", &["sqlite-rebuild-not-null"]),
    atlas("MF101", &["unique-might-fail"]),
    atlas("MF102", &["unique-might-fail"]),
    atlas("MF103", &["add-column-not-null-no-default", "mysql-add-not-null-no-default"]),
    atlas("MF104", &["not-null-might-fail", "set-not-null-scan"]),
    atlas("MY101", &["mysql-add-not-null-no-default"]),
    atlas("MY102", &["mysql-references-ignored"]),
    atlas("MY110", &["mysql-table-copy"]),
    atlas("MY111", &["mysql-table-copy"]),
    atlas("MY112", &["mysql-table-copy"]),
    atlas("MY113", &["mysql-table-copy"]),
    atlas("MY120", &["mysql-table-copy"]),
    atlas("MY121", &["mysql-table-copy"]),
    atlas("MY122", &["mysql-table-copy"]),
    atlas("MY123", &["mysql-table-copy"]),
    atlas("MY137", &["mysql-rebuilds-table", "mysql-table-copy"]),
    atlas("MY138", &["mysql-rebuilds-table"]),
    atlas("MY139", &["mysql-table-copy"]),
    atlas("MY140", &["mysql-table-copy"]),
    atlas("MY141", &["mysql-table-copy", "mysql-blocks-writes"]),
    atlas("MY142", &["mysql-table-copy", "mysql-rebuilds-table"]),
    atlas("PG101", &["index-not-concurrent"]),
    atlas("PG102", &["drop-index-not-concurrent"]),
    atlas("PG103", &["cannot-run-in-transaction"]),
    atlas("PG104", &["primary-key-builds-index"]),
    atlas("PG105", &["unique-constraint-builds-index"]),
    atlas("PG301", &["alter-type-rewrite"]),
    atlas("PG302", &["add-column-volatile-default"]),
    atlas("PG303", &["set-not-null-scan"]),
    atlas("PG304", &["pk-using-index-nullable"]),
    atlas("PG305", &["check-not-valid-missing"]),
];

/// The check with a name, ignoring case.
pub fn find(name: &str) -> Option<&'static ToolCheck> {
    ALL.iter().find(|check| check.name.eq_ignore_ascii_case(name))
}

/// The checks of other tools to which a code is equivalent.
pub fn of(code: &str) -> impl Iterator<Item = &'static ToolCheck> {
    ALL.iter().filter(move |check| check.codes.contains(&code))
}
