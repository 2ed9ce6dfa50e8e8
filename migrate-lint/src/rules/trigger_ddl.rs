//! The rule `trigger-ddl`.

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
        "trigger-ddl",
        "To create, enable or disable a trigger takes SHARE ROW EXCLUSIVE on its table, to drop or rename one ACCESS EXCLUSIVE. \
         It is over in a moment, once the lock is got; this tool waits with a short time limit and tries again.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    instead: "",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
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
    silent: &[postgres(&[
        "CREATE TABLE t (a int); CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();",
    ])],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::Trigger),
        |impact| format!("writes to `{}` wait while the trigger is made or changed", impact.table),
    );
    reports.all.extend(found);
}
