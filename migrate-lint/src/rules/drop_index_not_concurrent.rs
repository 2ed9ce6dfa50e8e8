//! The rule `drop-index-not-concurrent`.

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
        "drop-index-not-concurrent",
        "`DROP INDEX` takes ACCESS EXCLUSIVE on the table of the index. It is done in a moment, but it waits for \
         every transaction that uses the table, and every query that comes meanwhile waits behind it. `DROP INDEX \
         CONCURRENTLY` stops nobody; it takes one index at a time, without CASCADE, outside a transaction.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    fix: "write `DROP INDEX CONCURRENTLY`, in a migration of its own",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE INDEX i ON t (a);", "DROP INDEX i;"]),
        postgres(&["DROP INDEX IF EXISTS made_elsewhere_i;"]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE INDEX i ON t (a);",
            "DROP INDEX CONCURRENTLY i;",
        ]),
        postgres(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a); DROP INDEX i;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::IndexDrop),
        |impact| format!("dropping an index locks `{}`, and waits for all who use it", impact.table),
    );
    findings.all.extend(found);
}
