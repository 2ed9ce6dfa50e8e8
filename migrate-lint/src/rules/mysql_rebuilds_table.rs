//! The rule `mysql-rebuilds-table`.

use crate::context::StatementContext;
use crate::impact::{Algorithm, Cause, Impact};
use crate::rule::{Check, Rule, Verification, mysql};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-rebuilds-table",
        "The table is made anew in place. Others read and write meanwhile, but it takes as long as the table is \
         large, needs as much room again, and replicas do it after the primary, lagging as long.",
    ),
    level: Level::Note,
    on: &[Dialect::MySql],
    fix: "do it in a time of little traffic",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ENGINE = InnoDB;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t MODIFY a int NOT NULL;"]),
    ],
    not_flagged: &[mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int;"])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    // What the server refuses is not done.
    if context.refused_algorithm().is_some() {
        return;
    }
    let rebuilds = |impact: &&Impact| {
        impact.is_long() && impact.online.is_some_and(|online| online.allows_writes && online.algorithm == Algorithm::Inplace)
    };
    for impact in context.impacts.iter().filter(rebuilds) {
        let Cause::Alter(what) = &impact.cause else { continue };
        findings.all.extend(context.finding(impact, format!("{what}: this takes as long as `{}` is large", impact.table)));
    }
}
