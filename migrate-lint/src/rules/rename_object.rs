//! The rule `rename-object`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::name::Name;
use migrate_model::syntax::{ObjectAction, ObjectKind, Syntax, TypeAction};

/// Flags the renaming or moving of a view, type, function, sequence or schema outside a contract migration.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rename-object",
        "Renaming a view, type, function, sequence or schema, or moving it to another schema, breaks the deployed \
         version of the application if this version uses the old name. The rename is safe if the same migration \
         creates another object with the old name, or in a contract migration (`-- migrate: phase contract`) that is \
         deployed when no deployed version uses the old name any more.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "create an additional object with the new name, and drop the object with the old name in a contract \
         migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m RENAME TO n;"]),
        postgres(&["CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;", "ALTER VIEW v RENAME TO w;"]),
        postgres(&["CREATE SCHEMA s;", "ALTER SCHEMA s RENAME TO r;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m RENAME TO m_old; CREATE TYPE m AS ENUM ('a', 'b');"]),
        postgres(&["CREATE TYPE m AS ENUM ('a');", "-- migrate: phase contract\nALTER TYPE m RENAME TO n;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.file.is_contract() {
        return;
    }
    let (kind, name) = match context.syntax() {
        Syntax::AlterType { name, action: TypeAction::Rename(_) | TypeAction::SetSchema(_) } => (ObjectKind::Type, name),
        Syntax::Alter {
            kind,
            name,
            action: ObjectAction::Rename(_) | ObjectAction::RenameColumn | ObjectAction::SetSchema(_),
        } => (*kind, name),
        _ => return,
    };
    let key = context.schema.resolve(name);
    if !old_name_stays(context, name, &key) && !is_created_here(context, &key) {
        findings.add(RuleFinding::new(format!(
            "the deployed version of the application may use the {} `{key}` by this name",
            kind.name()
        )));
    }
}

/// Whether the migration creates another object with the old name later, or renames one to it.
fn old_name_stays(context: &StatementContext<'_>, old: &Name, key: &ObjectName) -> bool {
    context.is_followed_by(&[&old.name], |syntax| match syntax {
        Syntax::CreateView(view) => context.schema.resolve(&view.name) == *key,
        Syntax::CreateRoutine { name, .. } | Syntax::CreateType { name, .. } | Syntax::CreateDomain { name, .. } => {
            context.schema.resolve(name) == *key
        }
        Syntax::AlterType { action: TypeAction::Rename(to), .. } | Syntax::Alter { action: ObjectAction::Rename(to), .. } => {
            *to == old.name
        }
        _ => false,
    })
}

/// Whether an earlier statement of the migration creates the object.
fn is_created_here(context: &StatementContext<'_>, key: &ObjectName) -> bool {
    context.executed_statements(&["CREATE", key.name()]).any(|statement| match &statement.syntax {
        Syntax::CreateType { name, .. } | Syntax::CreateRoutine { name, .. } | Syntax::Create { name, .. } => {
            context.schema.resolve(name) == *key
        }
        Syntax::CreateView(view) => context.schema.resolve(&view.name) == *key,
        _ => false,
    })
}
