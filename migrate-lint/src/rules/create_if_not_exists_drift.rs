//! The rule `create-if-not-exists-drift`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax;
use migrate_model::syntax::Syntax;

/// Flags `CREATE TABLE IF NOT EXISTS` of an existing table that has other columns.
pub static RULE: Rule = Rule {
    code: Code::new(
        "create-if-not-exists-drift",
        "An earlier migration creates the table with different columns, so `CREATE TABLE IF NOT EXISTS` does nothing \
         and reports no error. Every database on which the earlier migration has run keeps the columns of the \
         earlier migration, although this file declares different ones.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "write the difference as `ALTER TABLE`, and remove this `CREATE TABLE`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE IF NOT EXISTS t (a int, b int);"]),
        sqlite(&["CREATE TABLE t (a int);", "CREATE TABLE IF NOT EXISTS t (a int, b int);"]),
        mysql(&["CREATE TABLE t (a int);", "CREATE TABLE IF NOT EXISTS t (b int);"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE IF NOT EXISTS u (a int, b int);"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE IF NOT EXISTS t (a int);"]),
        postgres(&[
            "CREATE TABLE t (a int);",
            "-- migrate: phase contract\nDROP TABLE t; CREATE TABLE IF NOT EXISTS t (a int, b int);",
        ]),
    ],
    verification: Verification::Seen("if_not_exists_keeps_the_old_columns"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::CreateTable(table) = context.syntax() else { return };
    let Some(name) =
        table.name.as_ref().filter(|_| table.if_not_exists && !table.temporary && !table.opaque && !table.columns.is_empty())
    else {
        return;
    };
    let key = context.schema.resolve(name);
    let Some(relation) = context.relation(&key).filter(|relation| relation.columns_known) else { return };
    let added = table.columns.iter().filter(|column| relation.column(&column.name).is_none()).map(|column| column.name.clone());
    let removed = relation
        .columns
        .iter()
        .filter(|existing| !table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&existing.name)))
        .map(|existing| existing.name.clone());
    let same_type = |column: &&syntax::Column| {
        let existing = relation.column(&column.name);
        existing.is_none_or(|existing| existing.ty == column.ty || existing.ty.is_none() || column.ty.is_none())
    };
    let retyped = table
        .columns
        .iter()
        .filter(|column| !same_type(column) && !column.ty.as_ref().is_some_and(|ty| ty.name.ends_with("serial")))
        .map(|column| column.name.clone());
    let differences: Vec<String> = added.chain(removed).chain(retyped).map(|name| format!("`{name}`")).collect();
    if !differences.is_empty() {
        let differences = differences.join(", ");
        let message = format!("`{key}` already exists and differs in {differences}; this statement does nothing");
        findings.add(RuleFinding::new(message));
    }
}
