//! The rule `drop-object`.

use crate::context::{ParsedStatement, StatementContext};
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::name::Name;
use migrate_model::syntax::{ObjectAction, ObjectKind, Syntax, TypeAction};

/// Flags dropped views, functions, types, sequences and extensions outside a contract migration.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-object",
        "The deployed version of the application fails if it still uses a dropped view, function, type, sequence or \
         extension. Drop such an object in a contract migration (`-- migrate: phase contract`), and deploy this \
         migration only when no deployed version uses the object any more. In a contract migration, the statement is \
         not flagged. An object that the same file creates, before or after the `DROP`, is not flagged either.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "deploy a version of the application that no longer uses the object, then drop the object in a migration \
          with `-- migrate: phase \
         contract` in its header",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;", "DROP VIEW v;"]),
        postgres(&["CREATE TYPE m AS ENUM ('a');", "DROP TYPE m;"]),
        postgres(&["DROP EXTENSION hstore;"]),
        sqlite(&["CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;", "DROP VIEW v;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TYPE m AS ENUM ('a');", "-- migrate: phase contract\nDROP TYPE m;"]),
        mysql(&["CREATE PROCEDURE p() BEGIN SELECT 1; END; CALL p(); DROP PROCEDURE p;"]),
        postgres(&[
            "CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;",
            "DROP VIEW v; CREATE VIEW v AS SELECT a + 1 AS a FROM t;",
        ]),
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
    // Each kind of object is reported once per file.
    let drops_same_kind =
        |statement: &&ParsedStatement| matches!(&statement.syntax, Syntax::Drop(drop) if drop.kind == removal.kind);
    if context.executed_statements(&["DROP"]).any(|statement| drops_same_kind(&statement)) {
        return;
    }
    let mut names = removal.names.iter();
    if let Some(name) = names.find(|name| is_existing(context, name) && !is_recreated(context, name)) {
        let (kind, key) = (removal.kind.name(), context.schema.resolve(name));
        let message = format!("the deployed version of the application may still use {kind} `{key}`");
        let finding = RuleFinding::new(message);
        findings.add(match context.later_statements_with(&["DROP"]).filter(drops_same_kind).count() {
            0 => finding,
            1 => finding.note("1 more statement in this file drops an object of this kind"),
            more => finding.note(format!("{more} more statements in this file drop objects of this kind")),
        });
    }
}

/// Reports whether the object existed before this file.
fn is_existing(context: &StatementContext<'_>, name: &Name) -> bool {
    let key = context.schema.resolve(name);
    let is_new = context.relation(&key).is_some() && !context.is_deployed(&key);
    let was_created_here = context.executed_statements(&["CREATE", &name.name]).any(|statement| match &statement.syntax {
        Syntax::Create { name: created, .. }
        | Syntax::CreateRoutine { name: created, .. }
        | Syntax::CreateType { name: created, .. }
        | Syntax::CreateDomain { name: created, .. } => created == name,
        _ => false,
    });
    !is_new && !was_created_here
}

/// Reports whether this file replaces the object by another of the same name.
fn is_recreated(context: &StatementContext<'_>, name: &Name) -> bool {
    let key = context.schema.resolve(name);
    let follows = context.is_followed_by(&[&name.name], |syntax| match syntax {
        Syntax::CreateView(view) => context.schema.resolve(&view.name) == key,
        Syntax::CreateRoutine { name, .. }
        | Syntax::CreateType { name, .. }
        | Syntax::CreateDomain { name, .. }
        | Syntax::Create { name, .. } => context.schema.resolve(name) == key,
        Syntax::AlterType { action: TypeAction::Rename(to), .. } => *to == name.name,
        Syntax::Alter { action: ObjectAction::Rename(to), .. } => *to == name.name,
        _ => false,
    });
    // To replace a type, a file renames the old one, creates the new one, and drops the old one under its temporary name.
    let renames =
        |syntax: &Syntax| matches!(syntax, Syntax::AlterType { action: TypeAction::Rename(to), .. } if *to == name.name);
    let was_renamed = context.executed_statements(&["RENAME", &name.name]).any(|statement| renames(&statement.syntax));
    follows || was_renamed
}
