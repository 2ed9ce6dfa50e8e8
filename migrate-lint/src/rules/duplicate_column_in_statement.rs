//! The rule `duplicate-column-in-statement`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags a column that appears twice in `CREATE TABLE`, `INSERT` or `UPDATE`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "duplicate-column-in-statement",
        "The statement contains a column twice, and the database rejects it. The rule does not check two cases that \
         the database accepts: an `UPDATE` on MySQL and SQLite, and an `INSERT` on SQLite. In these cases, the \
         database uses one of the two values and discards the other without a warning.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "remove one of the two occurrences",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
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
    let is_same = |left: &str, right: &str| match context.schema.dialect() {
        Dialect::Postgres => left == right,
        _ => left.eq_ignore_ascii_case(right),
    };
    let mut numbered = columns.iter().enumerate();
    if let Some((_, name)) = numbered.find(|(at, name)| columns[..*at].iter().any(|earlier| is_same(earlier, name))) {
        findings.add(RuleFinding::new(format!("column `{name}` appears twice")));
    }
}
