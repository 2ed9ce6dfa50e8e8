//! The rule `implicit-transaction`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, ObjectKind, Syntax};

/// Flags statements that cannot run in a transaction, in a file with other statements.
pub static RULE: Rule = Rule {
    code: Code::new(
        "implicit-transaction",
        "If a tool sends several statements as one query string, PostgreSQL runs them in one transaction, even \
         without `BEGIN`. In this transaction, PostgreSQL rejects statements that cannot run in a transaction block \
         (SQLSTATE 25001). `cargo migrate` sends the statements one by one and is not affected. Enable this rule \
         only for files that other tools run too.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "move the statement that cannot run in a transaction block to a separate file",
    opt_in: true,
    down: true,
    check: RuleCheck::Statement(check),
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
    let is_alone = context.file.script.statements.len() == 1;
    if !is_alone && fails_in_transaction(context.syntax()) {
        findings.add(RuleFinding::new("this fails in a tool that sends the whole file as one query string"));
    }
}

fn fails_in_transaction(syntax: &Syntax) -> bool {
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
