//! The rule `drop-object`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ObjectAction, ObjectKind, Syntax, TypeAction};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-object",
        "A view, function, type, sequence or extension that is dropped is missing to the release that runs, if it \
         uses it.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "stop using it in one release; drop it in a later one, in a migration with `-- migrate: phase contract` at \
         its top",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;", "DROP VIEW v;"]),
        postgres(&["CREATE TYPE m AS ENUM ('a');", "DROP TYPE m;"]),
        postgres(&["DROP EXTENSION hstore;"]),
        sqlite(&["CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;", "DROP VIEW v;"]),
    ],
    not_flagged: &[
        mysql(&["CREATE PROCEDURE p() BEGIN SELECT 1; END; CALL p(); DROP PROCEDURE p;"]),
        postgres(&[
            "CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;",
            "DROP VIEW v; CREATE VIEW v AS SELECT a + 1 AS a FROM t;",
        ]),
        postgres(&["CREATE TYPE m AS ENUM ('a');", "-- migrate: phase contract\nDROP TYPE m;"]),
        postgres(&["DROP FUNCTION IF EXISTS f(int); CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';"]),
        postgres(&["DROP TRIGGER IF EXISTS g ON t;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Drop(removal) = context.syntax() else { return };
    let kinds = [
        ObjectKind::View,
        ObjectKind::MaterializedView,
        ObjectKind::Type,
        ObjectKind::Domain,
        ObjectKind::Routine,
        ObjectKind::Sequence,
        ObjectKind::Extension,
    ];
    if !kinds.contains(&removal.kind) || context.file.is_contract() {
        return;
    }
    // Once for each kind of thing in a file.
    if context.earlier_statements().iter().any(|read| matches!(&read.syntax, Syntax::Drop(other) if other.kind == removal.kind)) {
        return;
    }
    let more = context
        .later_statements()
        .iter()
        .filter(|read| matches!(&read.syntax, Syntax::Drop(other) if other.kind == removal.kind))
        .count();
    for name in &removal.names {
        let key = context.schema.resolve(name);
        let new = context.relation(&key).is_some() && !context.is_deployed(&key);
        let again = context.is_followed_by(|syntax| match syntax {
            Syntax::CreateView(view) => context.schema.resolve(&view.name) == key,
            Syntax::CreateRoutine { name, .. }
            | Syntax::CreateType { name, .. }
            | Syntax::CreateDomain { name, .. }
            | Syntax::Create { name, .. } => context.schema.resolve(name) == key,
            Syntax::AlterType { action: TypeAction::Rename(to), .. } => *to == name.name,
            Syntax::Alter { action: ObjectAction::Rename(to), .. } => *to == name.name,
            _ => false,
        });
        // A type that stands for another, made beside it, changed its name before.
        let moved = context
            .earlier_statements()
            .iter()
            .any(|read| matches!(&read.syntax, Syntax::AlterType { action: TypeAction::Rename(to), .. } if *to == name.name));
        let made_here = context.earlier_statements().iter().any(|read| match &read.syntax {
            Syntax::Create { name: own, .. }
            | Syntax::CreateRoutine { name: own, .. }
            | Syntax::CreateType { name: own, .. }
            | Syntax::CreateDomain { name: own, .. } => own == name,
            _ => false,
        });
        if !new && !again && !moved && !made_here {
            let finding = RuleFinding::new(format!("the release that runs may still use the {} `{key}`", removal.kind.name()));
            findings.add(if more > 0 { finding.note(format!("{more} more statements here drop one")) } else { finding });
            return;
        }
    }
}
