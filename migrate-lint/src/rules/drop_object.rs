//! The rule `drop-object`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres, sqlite};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{ObjectAction, ObjectKind, Syntax, TypeAction};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-object",
        "A view, function, type, sequence or extension that is dropped is missing to the release that runs, if it \
         uses it.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "stop using it in one release; drop it in a later one, in a migration with `-- migrate: phase contract` at \
         its top",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;", "DROP VIEW v;"]),
        postgres(&["CREATE TYPE m AS ENUM ('a');", "DROP TYPE m;"]),
        postgres(&["DROP EXTENSION hstore;"]),
        sqlite(&["CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;", "DROP VIEW v;"]),
    ],
    silent: &[
        mysql(&["CREATE PROCEDURE p() BEGIN SELECT 1; END; CALL p(); DROP PROCEDURE p;"]),
        postgres(&[
            "CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;",
            "DROP VIEW v; CREATE VIEW v AS SELECT a + 1 AS a FROM t;",
        ]),
        postgres(&["CREATE TYPE m AS ENUM ('a');", "-- migrate: phase contract\nDROP TYPE m;"]),
        postgres(&["DROP FUNCTION IF EXISTS f(int); CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';"]),
        postgres(&["DROP TRIGGER IF EXISTS g ON t;"]),
    ],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let Syntax::Drop(removal) = scene.syntax() else { return };
    let kinds = [
        ObjectKind::View,
        ObjectKind::MaterializedView,
        ObjectKind::Type,
        ObjectKind::Domain,
        ObjectKind::Routine,
        ObjectKind::Sequence,
        ObjectKind::Extension,
    ];
    if !kinds.contains(&removal.kind) || scene.file.is_contract() {
        return;
    }
    // Once for each kind of thing in a file.
    if scene.earlier().iter().any(|read| matches!(&read.syntax, Syntax::Drop(other) if other.kind == removal.kind)) {
        return;
    }
    let more =
        scene.later().iter().filter(|read| matches!(&read.syntax, Syntax::Drop(other) if other.kind == removal.kind)).count();
    for name in &removal.names {
        let key = scene.schema.key(name);
        let new = scene.relation(&key).is_some() && !scene.is_deployed(&key);
        let again = scene.follows(|syntax| match syntax {
            Syntax::CreateView(view) => scene.schema.key(&view.name) == key,
            Syntax::CreateRoutine { name, .. }
            | Syntax::CreateType { name, .. }
            | Syntax::CreateDomain { name, .. }
            | Syntax::Create { name, .. } => scene.schema.key(name) == key,
            Syntax::AlterType { action: TypeAction::Rename(to), .. } => *to == name.name,
            Syntax::Alter { action: ObjectAction::Rename(to), .. } => *to == name.name,
            _ => false,
        });
        // A type that stands for another, made beside it, changed its name before.
        let moved = scene
            .earlier()
            .iter()
            .any(|read| matches!(&read.syntax, Syntax::AlterType { action: TypeAction::Rename(to), .. } if *to == name.name));
        let made_here = scene.earlier().iter().any(|read| match &read.syntax {
            Syntax::Create { name: own, .. }
            | Syntax::CreateRoutine { name: own, .. }
            | Syntax::CreateType { name: own, .. }
            | Syntax::CreateDomain { name: own, .. } => own == name,
            _ => false,
        });
        if !new && !again && !moved && !made_here {
            let report = Report::new(format!("the release that runs may still use the {} `{key}`", removal.kind.name()));
            reports.add(if more > 0 { report.note(format!("{more} more statements here drop one")) } else { report });
            return;
        }
    }
}
