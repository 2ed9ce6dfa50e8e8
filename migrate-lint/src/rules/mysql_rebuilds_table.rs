//! The rule `mysql-rebuilds-table`.

use crate::context::StatementContext;
use crate::impact::{Algorithm, Cause, Impact};
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a change in place that allows writes but takes longer on a larger table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-rebuilds-table",
        "For some changes, the server rebuilds the table in place, or builds an index on it, so the duration of the \
         statement depends on the size of the table. Reads and writes continue meanwhile. A rebuild needs as much \
         additional disk space as the table occupies. Replicas run the statement after the primary has completed it, \
         so they lag behind by the duration of the statement. On a small table, the statement is harmless.",
    ),
    level: Level::Note,
    on: &[Product::MySql, Product::MariaDb],
    fix: "run the migration at a time of low traffic",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ENGINE = InnoDB;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t MODIFY a int NOT NULL;"]),
    ],
    not_flagged: &[mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int;"])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    // A statement that the server rejects does nothing; `mysql-algorithm-refused` reports it.
    if context.refused_algorithm().is_some() {
        return;
    }
    for impact in context.impacts.iter().filter(|impact| rebuilds_online(impact)) {
        let Cause::Alter(reason) = impact.cause else { continue };
        findings.all.extend(
            context.finding(impact, format!("{}: the duration depends on the size of `{}`", reason.text(), impact.table)),
        );
    }
}

fn rebuilds_online(impact: &Impact) -> bool {
    impact.is_long() && impact.online.is_some_and(|online| online.allows_writes && online.algorithm >= Algorithm::Inplace)
}
