//! The rule `mysql-blocks-writes`.

use crate::context::StatementContext;
use crate::impact::{Algorithm, Cause, Impact};
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags an `ALTER TABLE` or `CREATE INDEX` that blocks writes to an existing table without copying it.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-blocks-writes",
        "For some changes, the server changes the table in place, but blocks writes to the table until the change is \
         complete (`ALGORITHM=INPLACE, LOCK=SHARED`). This applies to new FULLTEXT and SPATIAL indexes, to columns \
         that are added to, moved in or dropped from a table that keeps a FULLTEXT index, and to new AUTO_INCREMENT columns. A \
         statement can also request this behavior: `LOCK=SHARED` blocks writes, and `LOCK=EXCLUSIVE` blocks reads \
         and writes. On a small table, the change is brief.",
    ),
    level: Level::Error,
    on: &[Product::MySql, Product::MariaDb],
    fix: "run the migration at a time of low traffic, or use a tool that copies the table online (gh-ost, \
          pt-online-schema-change)",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, x text);", "ALTER TABLE t ADD FULLTEXT INDEX f (x);"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD n int AUTO_INCREMENT UNIQUE;"]),
        mysql(&["CREATE TABLE t (a int) WITH SYSTEM VERSIONING;", "ALTER TABLE t DROP SYSTEM VERSIONING;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD n int, ALGORITHM=INPLACE, LOCK=EXCLUSIVE;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, n int, x text, KEY i (n), FULLTEXT KEY f (x));",
            "ALTER TABLE t DROP COLUMN n;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, n int, x text, FULLTEXT KEY f (x));",
            "ALTER TABLE t MODIFY n int AFTER x;",
        ]),
    ],
    not_flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, n int, x text, FULLTEXT KEY f (x));", "ALTER TABLE t DROP COLUMN x;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, x text, FULLTEXT KEY f (x));", "ALTER TABLE t DROP COLUMN IF EXISTS zz;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD INDEX i (a);"]),
        mysql(&["CREATE TABLE t (x text); ALTER TABLE t ADD FULLTEXT INDEX f (x);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    // A statement that the server rejects does not lock the table; `mysql-algorithm-refused` reports it.
    if context.refused_algorithm().is_some() {
        return;
    }
    if let Some((alter, lock)) = context.alter().and_then(|alter| Some((alter, alter.lock.as_deref()?))) {
        let table = context.schema.resolve(&alter.table);
        let blocked = if lock == "EXCLUSIVE" { "reads of and writes to" } else { "writes to" };
        let only_by_request = matches!(lock, "EXCLUSIVE" | "SHARED") && !context.impacts.iter().any(blocks_writes);
        if only_by_request && context.is_deployed(&table) && alter.algorithm.as_deref() != Some("COPY") {
            let finding = RuleFinding::new(format!("`LOCK={lock}` blocks {blocked} `{table}`"));
            findings.add(finding.fix("omit `LOCK`, or write `LOCK=NONE`"));
        }
    }
    for impact in context.impacts.iter().filter(|impact| blocks_writes(impact)) {
        let Cause::Alter(reason) = impact.cause else { continue };
        findings.all.extend(context.finding(impact, format!("{}: this blocks writes to `{}`", reason.text(), impact.table)));
    }
}

/// Does a change in place block writes? `mysql-table-copy` reports copies.
fn blocks_writes(impact: &Impact) -> bool {
    impact.online.is_some_and(|online| !online.allows_writes && online.algorithm != Algorithm::Copy)
}
