//! The rule `missing-lock-timeout`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "missing-lock-timeout",
        "A statement that waits for a strong lock makes every later query wait behind it. Runners that set no \
         `lock_timeout` let that last as long as the longest transaction. This tool sets one for every such \
         statement, so the rule is only for files that other tools run too.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "write `SET lock_timeout = '2s';` before it",
    opt_in: true,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "SET lock_timeout = 0; ALTER TABLE t ADD COLUMN c int;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "SET lock_timeout = '2s'; RESET lock_timeout; ALTER TABLE t ADD COLUMN c int;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "SET lock_timeout = '2s'; ALTER TABLE t ADD COLUMN c int;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "SELECT set_config('lock_timeout', '2s', true); ALTER TABLE t ADD COLUMN c int;",
        ]),
        postgres(&["CREATE TABLE t (a int);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let set = context.lock_timeout.is_some_and(|limit| !limit.trim_start_matches('0').trim().is_empty());
    let strong = context.impacts.iter().find(|impact| impact.lock.blocks_writes() && context.is_deployed(&impact.table));
    if let Some(impact) = strong.filter(|_| !set) {
        findings.add(
            RuleFinding::new(format!("nothing limits how long this waits for its lock on `{}`", impact.table))
                .note(context.describe_lock(impact)),
        );
    }
}
