//! The rule `sqlite-rebuild-not-null`.

use crate::context::StatementContext;
use crate::rebuild;
use crate::rule::{Rule, RuleCheck, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags table rebuilds on SQLite that copy a nullable column unchanged into a NOT NULL column.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-rebuild-not-null",
        "A table rebuild that copies a nullable column unchanged into a NOT NULL column fails if a row has a null in \
         that column. If no row of a test database has a null in the column, the test does not show the error.",
    ),
    level: Level::Note,
    on: &[Product::Sqlite],
    fix: "write `coalesce(column, value)` in the `SELECT` that copies the rows",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[sqlite(&[
        "CREATE TABLE t (a int);",
        "CREATE TABLE n (a int NOT NULL); INSERT INTO n SELECT a FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
    ])],
    not_flagged: &[
        sqlite(&[
            "CREATE TABLE t (a int);",
            "CREATE TABLE n (a int NOT NULL); INSERT INTO n SELECT coalesce(a, 0) FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
        ]),
        sqlite(&[
            "CREATE TABLE t (a int NOT NULL);",
            "CREATE TABLE n (a int NOT NULL); INSERT INTO n SELECT a FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
        ]),
    ],
    verification: Verification::Seen("a_rebuild_fails_on_nulls"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Insert(insert) = context.syntax() else { return };
    let upper = context.sql.to_ascii_uppercase();
    if !insert.reads_table || ["COALESCE", "IFNULL", "CASE"].iter().any(|word| upper.contains(word)) {
        return;
    }
    let new = context.schema.resolve(&insert.table);
    let Some((old, new_relation)) = rebuild::replaced(context, &new).zip(context.relation(&new)) else { return };
    let Some(old_relation) = context.relation(&old) else { return };
    let is_nullable = |name: &str| old_relation.column(name).is_some_and(|column| !column.not_null);
    let key = old_relation.primary().unwrap_or_default();
    let columns = new_relation.columns.iter().filter(|column| column.not_null && is_nullable(&column.name));
    for column in columns.filter(|column| !key.contains(&column.name)) {
        findings.add(RuleFinding::new(format!("the copy fails if a row of `{old}` has a null in `{}`", column.name)));
    }
}
