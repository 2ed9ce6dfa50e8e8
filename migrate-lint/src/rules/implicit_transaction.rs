//! The rule `implicit-transaction`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, ObjectKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "implicit-transaction",
        "Several statements that are sent as one text are one transaction, even without `BEGIN`, and what cannot run in one is \
         refused (error 25001). This tool sends them one by one, so the rule is only for files that other tools run too.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "put the statement into a file of its own",
    opt_in: true,
    down: true,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "SET lock_timeout = 0; CREATE INDEX CONCURRENTLY i ON t (a);"]),
        postgres(&["CREATE TABLE t (a int);", "ANALYZE t; VACUUM t;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "CREATE INDEX CONCURRENTLY i ON t (a);"]),
        postgres(&["CREATE TABLE t (a int);", "ANALYZE t; REINDEX TABLE t;"]),
    ],
    verification: Verification::Seen("several_statements_are_one_transaction"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let alone = context.file.script.statements.len() == 1;
    if !alone && refuses(context.syntax()) {
        findings.add(RuleFinding::new("tools that send the file as one text cannot run this together with the other statements"));
    }
}

fn refuses(syntax: &Syntax) -> bool {
    match syntax {
        Syntax::CreateIndex(index) => index.concurrently,
        Syntax::Drop(removal) => removal.concurrently || removal.kind == ObjectKind::Database,
        Syntax::Reindex { target, concurrently, .. } => {
            *concurrently || matches!(target.as_str(), "SCHEMA" | "DATABASE" | "SYSTEM")
        }
        Syntax::AlterTable(alter) => {
            alter.actions.iter().any(|action| matches!(action.kind, ActionKind::Detach { concurrently: true, .. }))
        }
        Syntax::Vacuum { .. } | Syntax::Server { .. } | Syntax::Cluster { table: None } => true,
        _ => false,
    }
}
