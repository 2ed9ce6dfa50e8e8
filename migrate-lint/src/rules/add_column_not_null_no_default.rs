//! The rule `add-column-not-null-no-default`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "add-column-not-null-no-default",
        "A column that is NOT NULL and has no default has no value for the rows that are there: PostgreSQL fails if \
         there is one, and so does SQLite; older releases of SQLite refuse it even for an empty table.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::Sqlite],
    fix: "add it with NULL, fill it in batches, then make it NOT NULL; or give it a constant default",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT 0;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c serial NOT NULL;"]),
    ],
    verification: Verification::Seen("a_new_column_without_a_value_fails"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let lite = context.schema.dialect() == Dialect::Sqlite;
    for (table, action, range) in context.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        let nothing = column.default.clone().is_none_or(|default| context.sql[default].trim().eq_ignore_ascii_case("null"));
        let serial = column.ty.as_ref().is_some_and(|ty| ty.name.ends_with("serial"));
        if column.not_null
            && !column.primary
            && nothing
            && !serial
            && !column.identity
            && column.generated.is_none()
            && (lite || context.is_deployed(&table))
        {
            let message = format!("rows of `{table}` have no value for `{}`, and may not be without", column.name);
            let finding = RuleFinding::new(message).at(range);
            // SQLite does not make it NOT NULL later.
            findings.add(if lite { finding.fix("give it a constant default; or add it with NULL") } else { finding });
        }
    }
}
