//! The rule `concurrent-with-lock-timeout`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags a concurrent index build while `lock_timeout` is set.
pub static RULE: Rule = Rule {
    code: Code::new(
        "concurrent-with-lock-timeout",
        "A concurrent index build with a `lock_timeout` can fail after most of its work, because the timeout also \
         limits how long the build waits for older transactions to end. If one of these transactions does not end \
         within the timeout, the build fails and leaves an INVALID index. A build that waits does not block reads \
         and writes of other sessions, so it needs no timeout.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "do not set `lock_timeout` in the migration, or write `SET lock_timeout = 0` before the build",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "-- migrate: no-transaction\nSET lock_timeout = '5s';\nCREATE INDEX CONCURRENTLY i ON t (a);",
    ])],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "-- migrate: no-transaction\nSET lock_timeout = 0;\nCREATE INDEX CONCURRENTLY i ON t (a);",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "CREATE INDEX CONCURRENTLY i ON t (a);"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "-- migrate: no-transaction\nSET lock_timeout = '5s';\nRESET lock_timeout;\nCREATE INDEX CONCURRENTLY i ON t (a);",
        ]),
    ],
    verification: Verification::Seen("a_lock_timeout_ends_a_concurrent_build"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let builds = matches!(context.syntax(), Syntax::CreateIndex(index) if index.concurrently)
        || matches!(context.syntax(), Syntax::Reindex { concurrently: true, .. });
    let limit = context.lock_timeout.filter(|limit| !limit.trim_start_matches('0').trim().is_empty());
    if let Some(limit) = limit.filter(|_| builds) {
        findings.add(RuleFinding::new(format!(
            "with `lock_timeout` at {limit}, this build fails if a transaction runs longer, and leaves an invalid index"
        )));
    }
}
