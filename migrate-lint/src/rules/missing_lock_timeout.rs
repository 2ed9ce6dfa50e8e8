//! The rule `missing-lock-timeout`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags statements that wait without a `lock_timeout` for a lock that blocks writes.
pub static RULE: Rule = Rule {
    code: Code::new(
        "missing-lock-timeout",
        "While a statement waits for a lock that blocks writes, later statements that conflict with this lock queue \
         behind the waiting statement. Without a `lock_timeout`, all of them wait until the last transaction that \
         already uses the table ends. `cargo migrate` sets a lock timeout for every statement that acquires such a \
         lock. Enable this rule only for files that other tools run too.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "add `SET lock_timeout = '2s';` before the statement",
    opt_in: true,
    down: false,
    check: RuleCheck::Statement(check),
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
    let is_set = context.lock_timeout.is_some_and(|limit| !limit.trim_start_matches('0').trim().is_empty());
    let strong = context.impacts.iter().find(|impact| impact.lock.blocks_writes() && context.is_deployed(&impact.table));
    if let Some(impact) = strong.filter(|_| !is_set) {
        findings.add(
            RuleFinding::new(format!("no `lock_timeout` limits how long this waits for the lock on `{}`", impact.table))
                .note(context.describe_lock(impact)),
        );
    }
}
