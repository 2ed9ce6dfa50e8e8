//! The rule `policy-ddl`.

use crate::impact::Cause;
use crate::report::Reports;
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "policy-ddl",
        "Policies and row-level security take ACCESS EXCLUSIVE on their table. It is over in a moment, once the lock \
         is got; this tool waits with a short time limit and tries again.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    instead: "",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "CREATE POLICY p ON t USING (true);"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ENABLE ROW LEVEL SECURITY;"]),
    ],
    silent: &[postgres(&["CREATE TABLE t (a int); CREATE POLICY p ON t USING (true);"])],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::Policy),
        |impact| format!("every query on `{}` waits while row security is changed", impact.table),
    );
    reports.all.extend(found);
}
