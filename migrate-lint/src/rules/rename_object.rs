//! The rule `rename-object`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ObjectAction, ObjectKind, Syntax, TypeAction};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rename-object",
        "The release that runs knows a view, type, function, sequence or schema by its old name, if it uses it.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "make one of the new name beside it, and drop the old one in a contract migration",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    let again = context.is_followed_by(|syntax| match syntax {
        Syntax::CreateView(view) => context.schema.resolve(&view.name) == key,
        Syntax::CreateRoutine { name, .. } | Syntax::CreateType { name, .. } | Syntax::CreateDomain { name, .. } => {
            context.schema.resolve(name) == key
        }
        Syntax::AlterType { action: TypeAction::Rename(to), .. } | Syntax::Alter { action: ObjectAction::Rename(to), .. } => {
            *to == name.name
        }
        _ => false,
    });
    let made_here = context.earlier_statements().iter().any(|read| match &read.syntax {
        Syntax::CreateType { name, .. } | Syntax::CreateRoutine { name, .. } | Syntax::Create { name, .. } => {
            context.schema.resolve(name) == key
        }
        Syntax::CreateView(view) => context.schema.resolve(&view.name) == key,
        _ => false,
    });
    if !again && !made_here {
        findings.add(RuleFinding::new(format!("the release that runs may know the {} `{key}` by this name", kind.name())));
    }
}
