//! The rule `sqlite-add-column-unsupported`.

use crate::context::{Age, StatementContext};
use crate::rule::{Check, Rule, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Generated};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-add-column-unsupported",
        "SQLite adds no column that is UNIQUE or a PRIMARY KEY; and to a table that has rows none that is STORED, or \
         that has REFERENCES and another default than NULL where foreign keys are on.",
    ),
    level: Level::Error,
    on: &[Dialect::Sqlite],
    fix: "add a plain column and a unique index; or make the table anew",
    opt_in: false,
    down: true,
    check: Check::Statement(check),
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
    verification: Verification::Seen("sqlite_refuses"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        let rows = context.age(&table) > Age::File || context.relation(&table).is_some_and(|relation| relation.has_rows);
        let default = column.default.clone().filter(|default| !context.sql[default.clone()].trim().eq_ignore_ascii_case("null"));
        let (what, instead) = match () {
            () if column.primary => ("a primary key", "make the table anew"),
            () if column.unique => ("unique", "add a plain column and a unique index"),
            () if rows && column.generated == Some(Generated::Stored) => {
                ("computed and kept", "write VIRTUAL, or make the table anew")
            }
            () if rows && column.references.is_some() && default.is_some() && context.foreign_keys_enforced => {
                ("a foreign key with a default", "add it without the default, and fill it then")
            }
            () => continue,
        };
        findings.add(RuleFinding::new(format!("SQLite adds no column that is {what}")).fix(instead).at(range));
    }
}
