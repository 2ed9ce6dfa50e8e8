//! The rule `unknown-object`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres, sqlite};
use crate::scene::Scene;
use crate::schema::{Key, RelationKind};
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{ActionKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "unknown-object",
        "The statement names a column, a constraint or a table that the history has not made, or has dropped: a slip \
         of the pen, or a migration that is missing here. It fails on every database that has the history applied.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "correct the name; or add `IF EXISTS` if it may be missing",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE orders (a int);", "ALTER TABLE orders DROP COLUMN b;"]),
        postgres(&["CREATE TABLE orders (a int);", "ALTER TABLE order ADD COLUMN b int;"]),
        postgres(&["CREATE TABLE orders (a int);", "ALTER TABLE orders ALTER COLUMN bb SET NOT NULL;"]),
        postgres(&["CREATE TABLE orders (a int);", "CREATE INDEX CONCURRENTLY i ON orders (aa);"]),
        sqlite(&["CREATE TABLE orders (a int);", "ALTER TABLE orders RENAME COLUMN b TO c;"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE orders (a int);", "ALTER TABLE orders DROP COLUMN IF EXISTS b;"]),
        postgres(&["CREATE TABLE orders (a int);", "ALTER TABLE orders ADD b int, ALTER b SET NOT NULL;"]),
        postgres(&["ALTER TABLE made_elsewhere ADD b int;"]),
        postgres(&["CREATE TABLE orders (LIKE other);", "ALTER TABLE orders DROP COLUMN b;"]),
    ],
    proof: Proof::Refused,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if scene.read.inner || scene.schema.is_opaque() {
        return;
    }
    let missing = |table: &Key, column: &str| {
        scene.relation(table).is_some_and(|relation| {
            relation.complete && relation.kind == RelationKind::Table && relation.column(column).is_none()
        })
    };
    if let Syntax::CreateIndex(index) = scene.syntax() {
        let table = scene.schema.key(&index.table);
        if let Some(column) = index.columns.iter().find(|column| missing(&table, column)) {
            reports.add(Report::new(format!("`{table}` has no column `{column}`")));
        }
        return;
    }
    let Some(alter) = scene.alter() else { return };
    let own = scene.schema.key(&alter.table);
    if scene.relation(&own).is_none() && !alter.if_exists {
        // Others may make tables too; a name that is nearly one of ours is a slip.
        let names: Vec<&str> = scene.schema.relations().map(|(key, _)| key.name()).collect();
        if let Some(near) = migrate_core::suggestion::nearest(own.name(), names) {
            reports.add(Report::new(format!("no migration makes a table `{own}`")).help(format!("perhaps `{near}` is meant")));
        }
        return;
    }
    for (table, action, range) in scene.actions() {
        let column = match action {
            ActionKind::DropColumn { name, if_exists: false, .. } => name,
            ActionKind::RenameColumn { from, .. } | ActionKind::ChangeColumn { from, .. } => from,
            ActionKind::SetType { column, .. } | ActionKind::SetDefault { column, .. } => column,
            ActionKind::DropDefault(column) | ActionKind::SetNotNull(column) | ActionKind::DropNotNull(column) => column,
            ActionKind::ModifyColumn(column) => &column.name,
            _ => continue,
        };
        let added = scene.actions().any(|(_, other, _)| match other {
            ActionKind::AddColumn { column: new, .. } => new.name.eq_ignore_ascii_case(column),
            ActionKind::RenameColumn { to, .. } => to.eq_ignore_ascii_case(column),
            _ => false,
        });
        if !added && missing(&table, column) {
            reports.add(Report::new(format!("`{table}` has no column `{column}`")).at(range));
        }
    }
}
