//! The rule `not-idempotent`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::execution;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, IndexAction, Syntax};

/// Flags a statement outside a transaction that fails when it runs a second time.
pub static RULE: Rule = Rule {
    code: Code::new(
        "not-idempotent",
        "If a file that runs outside a transaction fails after some of its statements, running it again from the \
         beginning fails on objects that already exist, unless every statement is idempotent. `cargo migrate` \
         resumes at the failed statement, so enable this rule only for files that other tools run too. Note that `IF \
         NOT EXISTS` also skips an index that a failed `CREATE INDEX CONCURRENTLY` left INVALID.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "add `IF NOT EXISTS` or `IF EXISTS`; before `CREATE INDEX CONCURRENTLY i`, add `DROP INDEX CONCURRENTLY IF \
          EXISTS i`",
    opt_in: true,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "CREATE INDEX CONCURRENTLY i ON t (a);"]),
        postgres(&["-- migrate: no-transaction\nCREATE TABLE t (a int); CREATE TABLE u (a int);"]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: no-transaction\nALTER TABLE t ADD COLUMN b int; VACUUM t;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "DROP INDEX CONCURRENTLY IF EXISTS i; CREATE INDEX CONCURRENTLY i ON t (a);"]),
        postgres(&["-- migrate: no-transaction\nCREATE TABLE IF NOT EXISTS t (a int); VACUUM t;"]),
        postgres(&["CREATE TABLE t (a int); CREATE TABLE u (a int);"]),
        postgres(&[
            "CREATE TABLE t (a int);",
            "-- migrate: no-transaction\nALTER TABLE t ADD COLUMN IF NOT EXISTS b int; UPDATE t SET b = 1 WHERE b IS NULL; VACUUM t;",
        ]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let statement = context.parsed;
    if !statement.in_transaction && !statement.in_block && !can_run_twice(context) {
        findings.add(RuleFinding::new("this fails if a tool restarts the file from the beginning"));
    }
}

fn can_run_twice(context: &StatementContext<'_>) -> bool {
    match context.syntax() {
        Syntax::CreateIndex(index) if index.concurrently => {
            let drops_index = |syntax: &Syntax| match syntax {
                Syntax::Drop(removal) => removal.names.iter().any(|name| Some(name) == index.name.as_ref()),
                _ => false,
            };
            let name = index.name.as_ref().map_or("", |name| &name.name);
            index.if_not_exists || context.executed_statements(&["DROP", name]).any(|earlier| drops_index(&earlier.syntax))
        }
        Syntax::Drop(removal) => removal.if_exists,
        Syntax::AlterTable(alter) => alter.actions.iter().all(|action| match &action.kind {
            ActionKind::AddColumn { if_not_exists, .. } => *if_not_exists,
            ActionKind::DropColumn { if_exists, .. } | ActionKind::DropConstraint { if_exists, .. } => *if_exists,
            ActionKind::AddConstraint(_)
            | ActionKind::Rename(_)
            | ActionKind::RenameColumn { .. }
            | ActionKind::RenameConstraint { .. }
            | ActionKind::Attach { .. }
            | ActionKind::Detach { .. }
            | ActionKind::Opaque => false,
            _ => true,
        }),
        Syntax::AlterIndex { action: IndexAction::Rename(_), .. } => false,
        Syntax::CreateTable(_)
        | Syntax::CreateIndex(_)
        | Syntax::CreateView(_)
        | Syntax::CreateType { .. }
        | Syntax::CreateDomain { .. }
        | Syntax::CreateTrigger { .. }
        | Syntax::CreateRoutine { .. }
        | Syntax::Create { .. } => execution::is_idempotent(context.sql, context.server().dialect()),
        _ => true,
    }
}
