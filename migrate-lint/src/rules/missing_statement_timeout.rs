//! The rule `missing-statement-timeout`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "missing-statement-timeout",
        "A statement that reads or writes a whole table under a lock ends when it is done, however long that takes. Where that \
         must not last, `statement_timeout` ends it (in this tool: `timeout` in `migrate.toml`, or `-- migrate: timeout 30s`).",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "write `-- migrate: timeout 30s` above the file's first statement, or `SET statement_timeout = '30s';` for other tools",
    opt_in: true,
    down: false,
    check: Check::Statement(check),
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
    let limit = context.statement_timeout.map(|limit| limit.trim_start_matches('0').trim());
    let long =
        |impact: &&crate::impact::Impact| impact.is_long() && impact.lock.blocks_writes() && context.is_deployed(&impact.table);
    if let Some(impact) = context.impacts.iter().find(long).filter(|_| limit.is_none_or(str::is_empty)) {
        findings.add(
            RuleFinding::new(format!("nothing limits how long `{}` is kept from others", impact.table))
                .note(context.describe_lock(impact)),
        );
    }
}
