//! The rule `revoke`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags `REVOKE` outside a contract migration, unless the migration creates the object.
pub static RULE: Rule = Rule {
    code: Code::new(
        "revoke",
        "`REVOKE` takes effect immediately, and statements of the deployed version of the application that need the \
         privilege fail. The schema does not change, so tests that compare schemas do not detect this failure. \
         `REVOKE` is safe in a contract migration (`-- migrate: phase contract`) that is deployed when no deployed \
         version needs the privilege any more.",
    ),
    level: Level::Note,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb],
    fix: "revoke the privilege in a contract migration, and deploy this migration when no deployed version of the \
         application needs the privilege",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "REVOKE INSERT ON t FROM app;"]),
        mysql(&["CREATE TABLE t (a int);", "REVOKE INSERT ON t FROM app;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "GRANT INSERT ON t TO app;"]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nREVOKE INSERT ON t FROM app;"]),
        postgres(&["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION f() FROM PUBLIC;"]),
    ],
    verification: Verification::Manual("PostgreSQL manual, REVOKE; MySQL manual, 15.7.1.8"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if !matches!(context.syntax(), Syntax::Privilege { revoke: true }) || context.file.is_contract() {
        return;
    }
    // Objects that this migration creates are not in use yet.
    let creates_object = context.executed_statements(&["CREATE"]).any(|statement| {
        matches!(
            statement.syntax,
            Syntax::CreateTable(_) | Syntax::CreateView(_) | Syntax::CreateRoutine { .. } | Syntax::Create { .. }
        )
    });
    if !creates_object {
        findings.add(RuleFinding::new("the deployed version of the application may need the revoked privileges"));
    }
}
