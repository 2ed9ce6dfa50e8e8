//! The rule `duplicate-column-in-statement`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "duplicate-column-in-statement",
        "The statement names one column twice: the database refuses it (or, in an `UPDATE` on MySQL and SQLite and an \
         `INSERT` on SQLite, takes one of the two values and drops the other without a word, which is not looked for \
         here).",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "remove one of the two",
    opt_in: false,
    down: true,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int, a int);"]),
        postgres(&["CREATE TABLE t (a int);", "INSERT INTO t (a, a) VALUES (1, 2);"]),
        postgres(&["CREATE TABLE t (a int, b int);", "UPDATE t SET a = 1, b = 2, a = 3 WHERE b = 1;"]),
        mysql(&["CREATE TABLE t (a int);", "INSERT INTO t (a, a) VALUES (1, 2);"]),
        sqlite(&["CREATE TABLE t (a int, A int);"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int, b int); INSERT INTO t (a, b) VALUES (1, 2);"]),
        postgres(&["CREATE TABLE t (a int, \"A\" int);"]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let columns: Vec<&String> = match context.syntax() {
        Syntax::CreateTable(table) => table.columns.iter().map(|column| &column.name).collect(),
        Syntax::Insert(insert) if context.schema.dialect() != Dialect::Sqlite => insert.columns.iter().collect(),
        Syntax::Update(change) if context.schema.dialect() == Dialect::Postgres => change.columns.iter().collect(),
        _ => return,
    };
    let same = |one: &str, other: &str| match context.schema.dialect() {
        Dialect::Postgres => one == other,
        _ => one.eq_ignore_ascii_case(other),
    };
    let twice = columns.iter().enumerate().find(|(at, name)| columns[..*at].iter().any(|other| same(other, name)));
    if let Some((_, name)) = twice {
        findings.add(RuleFinding::new(format!("`{name}` is named twice")));
    }
}
