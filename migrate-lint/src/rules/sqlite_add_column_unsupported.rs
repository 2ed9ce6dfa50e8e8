//! The rule `sqlite-add-column-unsupported`.

use crate::context::{Age, StatementContext};
use crate::rule::{Rule, RuleCheck, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Generated};

/// Flags `ADD COLUMN` with a column constraint that SQLite rejects.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-add-column-unsupported",
        "SQLite cannot add a column that is UNIQUE or a PRIMARY KEY. If the table has rows, SQLite also rejects a \
         STORED generated column. While foreign keys are enforced, it also rejects, for a table with rows, a column \
         with REFERENCES and a default other than NULL.",
    ),
    level: Level::Error,
    on: &[Product::Sqlite],
    fix: "add a plain column and a unique index; or rebuild the table",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int UNIQUE;"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD c int AS (a) STORED;"]),
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int PRIMARY KEY;"]),
        sqlite(&[
            "CREATE TABLE u (id integer PRIMARY KEY); CREATE TABLE t (a int);",
            "ALTER TABLE t ADD c int DEFAULT 1 REFERENCES u (id);",
        ]),
    ],
    not_flagged: &[
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int AS (a) VIRTUAL;"]),
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int; CREATE UNIQUE INDEX i ON t (c);"]),
        sqlite(&["CREATE TABLE u (id integer PRIMARY KEY); CREATE TABLE t (a int); ALTER TABLE t ADD c int REFERENCES u (id);"]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        let has_rows = context.age(&table) > Age::File || context.relation(&table).is_some_and(|relation| relation.has_rows);
        let default = column.default.clone().filter(|default| !context.sql[default.clone()].trim().eq_ignore_ascii_case("null"));
        let (message, fix) = if column.primary {
            ("SQLite cannot add a PRIMARY KEY column", "rebuild the table")
        } else if column.unique {
            ("SQLite cannot add a UNIQUE column", "add a plain column and a unique index")
        } else if has_rows && column.generated == Some(Generated::Stored) {
            ("SQLite cannot add a STORED column to a table with rows", "write `VIRTUAL`, or rebuild the table")
        } else if has_rows && column.references.is_some() && default.is_some() && context.foreign_keys_enforced {
            (
                "SQLite cannot add a foreign key column with a default to a table with rows",
                "add the column without the default, then `UPDATE` the rows",
            )
        } else {
            continue;
        };
        findings.add(RuleFinding::new(message).fix(fix).at(range));
    }
}
