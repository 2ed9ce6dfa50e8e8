//! The rule `trigger-ddl`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags statements that create, enable, disable, rename or drop a trigger of an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "trigger-ddl",
        "Creating, enabling or disabling a trigger acquires a SHARE ROW EXCLUSIVE lock on the table of the trigger, \
         which blocks writes. Renaming or dropping a trigger acquires an ACCESS EXCLUSIVE lock, which blocks reads \
         and writes. The statement is brief once it has acquired the lock. `cargo migrate` sets a short lock timeout \
         for the statement and retries it after a timeout.",
    ),
    level: Level::Note,
    on: &[Product::Postgres],
    fix: "",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::Trigger),
        |impact| format!("creating, changing or dropping a trigger briefly locks `{}`", impact.table),
    ));
}
