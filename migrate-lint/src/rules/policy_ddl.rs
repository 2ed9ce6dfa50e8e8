//! The rule `policy-ddl`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a change of a policy or of row-level security on an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "policy-ddl",
        "Changes to policies and to row-level security acquire an ACCESS EXCLUSIVE lock on the table, which blocks \
         reads and writes. The statement finishes quickly once it has acquired the lock, but while it waits for the lock, \
         later queries on the table queue behind the statement. `cargo migrate` sets a short lock timeout for the \
         statement and retries it after a timeout.",
    ),
    level: Level::Note,
    on: &[Product::Postgres],
    fix: "",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "CREATE POLICY p ON t USING (true);"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ENABLE ROW LEVEL SECURITY;"]),
    ],
    not_flagged: &[postgres(&["CREATE TABLE t (a int); CREATE POLICY p ON t USING (true);"])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let policy_findings = context.findings_for(
        |cause| matches!(cause, Cause::Policy),
        |impact| format!("changing row-level security briefly blocks reads and writes on `{}`", impact.table),
    );
    findings.all.extend(policy_findings);
}
