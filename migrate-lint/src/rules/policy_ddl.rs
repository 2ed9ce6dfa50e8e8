//! The rule `policy-ddl`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "policy-ddl",
        "Policies and row-level security take ACCESS EXCLUSIVE on their table. It is over in a moment, once the lock \
         is got; this tool waits with a short time limit and tries again.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    fix: "",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "CREATE POLICY p ON t USING (true);"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ENABLE ROW LEVEL SECURITY;"]),
    ],
    not_flagged: &[postgres(&["CREATE TABLE t (a int); CREATE POLICY p ON t USING (true);"])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::Policy),
        |impact| format!("every query on `{}` waits while row security is changed", impact.table),
    );
    findings.all.extend(found);
}
