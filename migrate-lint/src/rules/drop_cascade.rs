//! The rule `drop-cascade`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use crate::schema::Key;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{ActionKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-cascade",
        "`CASCADE` removes what depends on the thing too: views, foreign keys of other tables, columns of a type, \
         defaults. Nobody has listed them, each is locked with ACCESS EXCLUSIVE, and what they are differs from one \
         database to the next.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "leave `CASCADE` out, and drop each thing by name",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&[
            "CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;",
            "-- migrate: phase contract\nDROP TABLE t CASCADE;",
        ]),
        postgres(&["CREATE TABLE t (a int, b int);", "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b CASCADE;"]),
        postgres(&["CREATE TYPE m AS ENUM ('a');", "-- migrate: phase contract\nDROP TYPE m CASCADE;"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nDROP TABLE t;"]),
        postgres(&["CREATE TABLE t (a int); DROP TABLE t CASCADE;"]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES u (id) ON DELETE CASCADE);"]),
    ],
    proof: Proof::Seen("drop_cascade_removes_a_view"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let dependents = |key: &Key| {
        let views = scene.schema.readers(key).map(|(view, _)| format!("`{view}`"));
        let children = scene.schema.children(key).map(|(child, ..)| format!("a foreign key of `{child}`"));
        views.chain(children).collect::<Vec<_>>()
    };
    match scene.syntax() {
        Syntax::Drop(removal) if removal.cascade && !removal.temporary => {
            let keys = removal.names.iter().map(|name| scene.schema.key(name));
            let old: Vec<Key> = keys.filter(|key| scene.relation(key).is_none() || scene.is_deployed(key)).collect();
            if !old.is_empty() {
                let known: Vec<String> = old.iter().flat_map(dependents).collect();
                let report = Report::new("CASCADE removes what depends on it too, unseen");
                reports.add(if known.is_empty() {
                    report
                } else {
                    report.note(format!("by what is known: {}", known.join(", ")))
                });
            }
        }
        _ => {
            for (_, action, range) in scene.actions().filter(|(table, ..)| scene.is_deployed(table)) {
                if let ActionKind::DropColumn { cascade: true, .. } | ActionKind::DropConstraint { cascade: true, .. } = action {
                    reports.add(Report::new("CASCADE removes what depends on it too, unseen").at(range));
                }
            }
        }
    }
}
