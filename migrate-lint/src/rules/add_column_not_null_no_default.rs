//! The rule `add-column-not-null-no-default`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres, sqlite};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "add-column-not-null-no-default",
        "A column that is NOT NULL and has no default has no value for the rows that are there: PostgreSQL fails if \
         there is one, and so does SQLite; older releases of SQLite refuse it even for an empty table.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::Sqlite],
    instead: "add it with NULL, fill it in batches, then make it NOT NULL; or give it a constant default",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int NOT NULL;"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN c int NOT NULL;"]),
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT NULL;"]),
    ],
    silent: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT 0;",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int;"]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int NOT NULL;"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT 0;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c serial NOT NULL;"]),
    ],
    proof: Proof::Seen("a_new_column_without_a_value_fails"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let lite = scene.schema.dialect() == Dialect::Sqlite;
    for (table, action, range) in scene.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        let nothing = column.default.clone().is_none_or(|default| scene.sql[default].trim().eq_ignore_ascii_case("null"));
        let serial = column.ty.as_ref().is_some_and(|ty| ty.name.ends_with("serial"));
        if column.not_null
            && !column.primary
            && nothing
            && !serial
            && !column.identity
            && column.generated.is_none()
            && (lite || scene.is_deployed(&table))
        {
            let message = format!("rows of `{table}` have no value for `{}`, and may not be without", column.name);
            let report = Report::new(message).at(range);
            // SQLite does not make it NOT NULL later.
            reports.add(if lite { report.instead("give it a constant default; or add it with NULL") } else { report });
        }
    }
}
