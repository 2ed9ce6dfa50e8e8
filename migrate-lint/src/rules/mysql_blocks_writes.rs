//! The rule `mysql-blocks-writes`.

use crate::context::StatementContext;
use crate::impact::{Algorithm, Cause, Impact};
use crate::rule::{Check, Rule, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-blocks-writes",
        "The server does this in place, but nobody can write to the table meanwhile (ALGORITHM=INPLACE, LOCK=SHARED): \
         FULLTEXT and SPATIAL indexes, new or dropped columns of a table that has a FULLTEXT one, and a column with AUTO_INCREMENT. Or the statement itself asks for it, with \
         `LOCK=SHARED`, or with `LOCK=EXCLUSIVE`, which stops readers as well.",
    ),
    level: Level::Error,
    on: &[Dialect::MySql],
    fix: "do it in a time of little traffic, or with a tool that copies beside the table (gh-ost, pt-online-schema-change)",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, x text);", "ALTER TABLE t ADD FULLTEXT INDEX f (x);"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD n int AUTO_INCREMENT UNIQUE;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD n int, ALGORITHM=INPLACE, LOCK=EXCLUSIVE;"]),
    ],
    not_flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD INDEX i (a);"]),
        mysql(&["CREATE TABLE t (x text); ALTER TABLE t ADD FULLTEXT INDEX f (x);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    // What the server refuses is not done.
    if context.refused_algorithm().is_some() {
        return;
    }
    let stops =
        |impact: &&Impact| impact.online.is_some_and(|online| !online.allows_writes && online.algorithm != Algorithm::Copy);
    if let Some((alter, lock)) = context.alter().and_then(|alter| Some((alter, alter.lock.as_deref()?))) {
        let table = context.schema.resolve(&alter.table);
        let who = if lock == "EXCLUSIVE" { "reads of and writes to" } else { "writes to" };
        let asked = matches!(lock, "EXCLUSIVE" | "SHARED") && !context.impacts.iter().any(|impact| stops(&impact));
        if asked && context.is_deployed(&table) && alter.algorithm.as_deref() != Some("COPY") {
            let finding = RuleFinding::new(format!("`LOCK={lock}` is asked for, and {who} `{table}` wait"));
            findings.add(finding.fix("leave `LOCK` out, or write `LOCK=NONE`"));
        }
    }
    for impact in context.impacts.iter().filter(stops) {
        let Cause::Alter(what) = &impact.cause else { continue };
        findings.all.extend(context.finding(impact, format!("{what}, and writes to `{}` wait", impact.table)));
    }
}
