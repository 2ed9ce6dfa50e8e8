//! The rule `trigger-ddl`.

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
        "trigger-ddl",
        "To create, enable or disable a trigger takes SHARE ROW EXCLUSIVE on its table, to drop or rename one ACCESS EXCLUSIVE. \
         It is over in a moment, once the lock is got; this tool waits with a short time limit and tries again.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    fix: "",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t DISABLE TRIGGER USER;"]),
        postgres(&[
            "CREATE TABLE t (a int); CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();",
            "ALTER TRIGGER g ON t RENAME TO h;",
        ]),
    ],
    not_flagged: &[postgres(&[
        "CREATE TABLE t (a int); CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();",
    ])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::Trigger),
        |impact| format!("writes to `{}` wait while the trigger is made or changed", impact.table),
    );
    findings.all.extend(found);
}
