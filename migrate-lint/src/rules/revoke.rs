//! The rule `revoke`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "revoke",
        "Rights that are taken away are gone at once: a release that still needs them fails at the statement for which it does. \
         The schema is as before, so no test of the schema sees it.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres, Dialect::MySql],
    fix: "take the right away when no release that runs needs it, in a migration of phase contract",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    // What the file itself has made is used by nobody yet.
    let new = context.earlier_statements().iter().any(|read| {
        matches!(
            read.syntax,
            Syntax::CreateTable(_) | Syntax::CreateView(_) | Syntax::CreateRoutine { .. } | Syntax::Create { .. }
        )
    });
    if matches!(context.syntax(), Syntax::Privilege { revoke: true }) && !context.file.is_contract() && !new {
        findings.add(RuleFinding::new("rights are taken away, which the release that runs may need"));
    }
}
