//! The rule `add-column-not-null-no-default`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags a new NOT NULL column without a default.
pub static RULE: Rule = Rule {
    code: Code::new(
        "add-column-not-null-no-default",
        "Existing rows have no value for a new NOT NULL column without a default. PostgreSQL and SQLite reject the \
         statement if the table contains rows; older versions of SQLite reject it even if the table is empty. With a \
         constant default, the statement succeeds, and existing rows get the default.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::Sqlite],
    fix: "give the column a constant default; or, on PostgreSQL, add it as nullable, fill it in batches, and then \
         set it NOT NULL",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int NOT NULL;"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN c int NOT NULL;"]),
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT NULL;"]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT 0;",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int;"]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int NOT NULL;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int NOT NULL;"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT 0;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c serial NOT NULL;"]),
    ],
    verification: Verification::Seen("a_new_column_without_a_value_fails"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let is_sqlite = context.schema.dialect() == Dialect::Sqlite;
    for (table, action, range) in context.actions() {
        let ActionKind::AddColumn { column, if_not_exists } = action else { continue };
        let exists = || context.relation(&table).is_some_and(|relation| relation.has_column(&column.name));
        if *if_not_exists && !context.schema.is_opaque() && exists() {
            continue;
        }
        let lacks_default = column.default.clone().is_none_or(|default| context.sql[default].trim().eq_ignore_ascii_case("null"));
        let is_serial = column.ty.as_ref().is_some_and(|ty| ty.name.ends_with("serial"));
        if column.not_null
            && !column.primary
            && lacks_default
            && !is_serial
            && !column.identity
            && column.generated.is_none()
            && (is_sqlite || context.is_deployed(&table) && !context.is_emptied(&table))
        {
            let message = format!("existing rows of `{table}` have no value for the NOT NULL column `{}`", column.name);
            let finding = RuleFinding::new(message).at(range);
            // SQLite cannot set NOT NULL on an existing column.
            findings.add(if is_sqlite {
                finding.fix("give the column a constant default, or add it as nullable")
            } else {
                finding
            });
        }
    }
}
