//! The rule `lock-table`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// Flags `LOCK TABLE` in a mode that blocks writes to an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "lock-table",
        "`LOCK TABLE` blocks other sessions until the end of the transaction (on MySQL and MariaDB: until `UNLOCK \
         TABLES`), however long the following statements take. Lock modes that allow writes are not flagged.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb],
    fix: "remove `LOCK TABLE` if the following statements acquire the locks that they need; otherwise run only short \
         statements while the lock is held",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
