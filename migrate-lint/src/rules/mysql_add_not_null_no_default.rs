//! The rule `mysql-add-not-null-no-default`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-add-not-null-no-default",
        "A column that is NOT NULL and has no default gives every row that is there 0, '' or the first label of an \
         ENUM, without a word.",
    ),
    level: Level::Warning,
    on: &[Dialect::MySql],
    instead: "say the value: `DEFAULT ...`; or add the column with NULL, fill it in batches, and make it NOT NULL then",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int NOT NULL;"])],
    silent: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int NOT NULL DEFAULT 0;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int;"]),
        mysql(&["CREATE TABLE t (a int); ALTER TABLE t ADD z int NOT NULL;"]),
    ],
    proof: Proof::Seen("mariadb_fills_not_null_columns"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for (table, action, range) in scene.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        if column.not_null
            && column.default.is_none()
            && !column.identity
            && column.generated.is_none()
            && scene.is_deployed(&table)
        {
            reports.add(Report::new(format!("every row of `{table}` silently gets a value for `{}`", column.name)).at(range));
        }
    }
}
