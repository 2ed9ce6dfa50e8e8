//! The rule `table-without-primary-key`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ConstraintKind, Syntax};

/// Flags `CREATE TABLE` without a primary key.
pub static RULE: Rule = Rule {
    code: Code::new(
        "table-without-primary-key",
        "Rows of a table without a primary key have no unique identity. On PostgreSQL, logical replication therefore \
         cannot replicate updates and deletes of the table, unless the `REPLICA IDENTITY` of the table is set. A \
         statement that changes the rows in batches needs a key to select each batch.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "add a primary key",
    opt_in: true,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&["CREATE TABLE t (a int);"]), mysql(&["CREATE TABLE t (a int);"])],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int PRIMARY KEY);"]),
        postgres(&["CREATE TABLE t (a int, b int, PRIMARY KEY (a, b));"]),
        postgres(&["CREATE TABLE p (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p DEFAULT;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::CreateTable(table) = context.syntax() else { return };
    let has_key = table.columns.iter().any(|column| column.primary)
        || table.constraints.iter().any(|constraint| matches!(constraint.kind, ConstraintKind::Primary { .. }));
    let lists_all_columns = table.like.is_empty() && table.partition_of.is_none() && !table.as_query && !table.opaque;
    if let Some(name) = table.name.as_ref().filter(|_| !has_key && lists_all_columns && !table.temporary) {
        findings.add(RuleFinding::new(format!("`{name}` has no primary key")));
    }
}
