//! The rule `truncate`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags `TRUNCATE` of an existing table, and `DROP PARTITION` or `TRUNCATE PARTITION`, outside a contract migration.
pub static RULE: Rule = Rule {
    code: Code::new(
        "truncate",
        "`TRUNCATE` permanently deletes all rows of an existing table. On PostgreSQL, `TRUNCATE ... CASCADE` also \
         truncates every table with a foreign key that references the truncated table. PostgreSQL acquires an ACCESS \
         EXCLUSIVE lock on each truncated table, which blocks reads and writes. On MySQL and MariaDB, the rule also \
         flags `DROP PARTITION` and `TRUNCATE PARTITION`. `TRUNCATE` is not flagged in a contract migration (`-- \
         migrate: phase contract`); deploy this migration when no deployed version of the application needs the rows \
         any more.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb],
    fix: "delete unneeded rows in batches; if no deployed version needs the rows, use a contract migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "TRUNCATE t;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (t_id bigint REFERENCES t (id));",
            "TRUNCATE t CASCADE;",
        ]),
        mysql(&["CREATE TABLE t (a int);", "TRUNCATE TABLE t;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "TRUNCATE ONLY (t);"]),
        postgres(&[
            "CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
            "TRUNCATE TABLE p *;",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "-- migrate: phase contract\nTRUNCATE t;"]),
        postgres(&["CREATE TABLE t (a int); TRUNCATE t;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.file.is_contract() {
        return;
    }
    for (table, action, range) in context.actions().filter(|(table, ..)| context.is_deployed(table)) {
        let clause = context.sql[range.clone()].to_ascii_uppercase();
        if *action == ActionKind::Partitioning
            && (clause.starts_with("DROP PARTITION") || clause.starts_with("TRUNCATE PARTITION"))
        {
            findings.add(RuleFinding::new(format!("all rows of this partition of `{table}` are permanently deleted")).at(range));
        }
    }
    findings.all.extend(context.findings_for(
        |cause| *cause == Cause::Truncate,
        |impact| format!("all rows of `{}` are permanently deleted", impact.table),
    ));
}
