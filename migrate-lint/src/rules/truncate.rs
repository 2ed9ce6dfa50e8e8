//! The rule `truncate`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Check, Rule, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "truncate",
        "`TRUNCATE` takes every row of a table in use, at once and for good, under ACCESS EXCLUSIVE; with `CASCADE` \
         also those of every table whose foreign keys lead there.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql],
    fix: "delete what is not needed in batches; if the table is to go, use a contract migration",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "TRUNCATE t;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (t_id bigint REFERENCES t (id));",
            "TRUNCATE t CASCADE;",
        ]),
        mysql(&["CREATE TABLE t (a int);", "TRUNCATE TABLE t;"]),
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
            findings.add(RuleFinding::new(format!("every row of that partition of `{table}` is gone for good")).at(range));
        }
    }
    let found = context
        .findings_for(|cause| *cause == Cause::Truncate, |impact| format!("every row of `{}` is gone for good", impact.table));
    findings.all.extend(found);
}
