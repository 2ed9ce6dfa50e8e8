//! The rule `lock-table`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Check, Rule, Verification, mysql, postgres};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "lock-table",
        "`LOCK TABLE` stops others until the end of the transaction (on MySQL: until `UNLOCK TABLES`), whatever else \
         the migration does meanwhile.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql],
    fix: "leave it out where the statements behind it take the locks that they need; or keep what stands behind it \
         short",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "LOCK TABLE t;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "LOCK TABLE t IN SHARE MODE;"]),
        mysql(&["CREATE TABLE t (a int);", "LOCK TABLES t WRITE; INSERT INTO t VALUES (1); UNLOCK TABLES;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "LOCK TABLE t IN ROW EXCLUSIVE MODE;"]),
        postgres(&["CREATE TABLE t (a int); LOCK TABLE t;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for impact in context.impacts.iter().filter(|impact| impact.cause == Cause::LockTable && impact.lock.blocks_writes()) {
        let until = match context.server().dialect() {
            Dialect::MySql => "`UNLOCK TABLES`",
            Dialect::Postgres | Dialect::Sqlite => "the transaction ends",
        };
        findings.all.extend(context.finding(impact, format!("`{}` is locked until {until}", impact.table)));
    }
}
