//! The rule `missing-statement-timeout`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags long work under a lock that blocks writes to an existing table when no `statement_timeout` is set.
pub static RULE: Rule = Rule {
    code: Code::new(
        "missing-statement-timeout",
        "A statement that scans or rewrites a table may block writes for a long time. PostgreSQL sets no limit by \
         default (`statement_timeout` is 0). `cargo migrate` limits each migration to 10 minutes by default. This \
         rule requires a limit that is set explicitly: `-- migrate: timeout 30s` in the file, `timeout` in \
         `migrate.toml`, or `SET statement_timeout`. Statements that only change the catalog, and statements on new \
         tables, are not flagged.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "add `-- migrate: timeout 30s` above the first statement of the file; if another tool also runs the file, \
          write `SET statement_timeout = '30s';` instead",
    opt_in: true,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "CREATE INDEX i ON t (a);"]),
        postgres(&["CREATE TABLE t (a int);", "SET statement_timeout = 0; CREATE INDEX i ON t (a);"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "SET statement_timeout = '30s'; CREATE INDEX i ON t (a);"]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: timeout 30s\nCREATE INDEX i ON t (a);"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int;"]),
        postgres(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    // A timeout of 0 disables the limit.
    let timeout = context.statement_timeout.map(|timeout| timeout.trim_start_matches('0').trim());
    let is_long =
        |impact: &&crate::impact::Impact| impact.is_long() && impact.lock.blocks_writes() && context.is_deployed(&impact.table);
    if let Some(impact) = context.impacts.iter().find(is_long).filter(|_| timeout.is_none_or(str::is_empty)) {
        findings.add(
            RuleFinding::new(format!("no `statement_timeout` limits how long this blocks `{}`", impact.table))
                .note(context.describe_lock(impact)),
        );
    }
}
