//! The rule `create-if-not-exists-drift`.

use crate::context::StatementContext;
use crate::relation::Index;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax;
use migrate_model::syntax::{CreateIndex, Syntax};

/// Flags `CREATE ... IF NOT EXISTS` of an existing table or index that has other columns.
pub static RULE: Rule = Rule {
    code: Code::new(
        "create-if-not-exists-drift",
        "An earlier migration creates the table with different columns, or an index of this name on another table or with \
         other columns, so `CREATE ... IF NOT EXISTS` does nothing and reports no error. Every database on which the earlier migration has run keeps what the \
         earlier migration has created, although this file declares something else.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "write the difference as `ALTER TABLE`, and remove this `CREATE TABLE`; give an index another name",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE IF NOT EXISTS t (a int, b int);"]),
        sqlite(&["CREATE TABLE t (a int);", "CREATE TABLE IF NOT EXISTS t (a int, b int);"]),
        mysql(&["CREATE TABLE t (a int);", "CREATE TABLE IF NOT EXISTS t (b int);"]),
        postgres(&["CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a);", "CREATE INDEX IF NOT EXISTS i ON t (a, b);"]),
        postgres(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a);", "CREATE UNIQUE INDEX IF NOT EXISTS i ON t (a);"]),
        sqlite(&[
            "CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE INDEX i ON t (a);",
            "CREATE INDEX IF NOT EXISTS i ON u (a);",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE IF NOT EXISTS u (a int, b int);"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE IF NOT EXISTS t (a int);"]),
        postgres(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a);", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);"]),
        postgres(&[
            "CREATE TABLE t (a int);",
            "-- migrate: phase contract\nDROP TABLE t; CREATE TABLE IF NOT EXISTS t (a int, b int);",
        ]),
    ],
    verification: Verification::Seen("if_not_exists_keeps_the_old_columns"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::CreateIndex(index) = context.syntax() {
        findings.all.extend(other_index(context, index).map(RuleFinding::new));
    }
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

/// The message about another index that certainly has the name.
fn other_index(context: &StatementContext<'_>, index: &CreateIndex) -> Option<String> {
    let name = index.name.as_ref().filter(|_| index.if_not_exists)?;
    let table = context.schema.resolve(&index.table);
    let key = context.schema.in_same_schema(&table, &name.name);
    let owner = context.schema.table_of_index(Some(&table), &key)?;
    let is_named = |existing: &&Index| existing.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(key.name()));
    let existing = context.relation(owner)?.indexes.iter().find(is_named).filter(|index| !index.certainty.is_uncertain())?;
    let same = |left: &String, right: &String| left.eq_ignore_ascii_case(right);
    let has_plain_columns = !existing.partial_or_expression && !index.partial && !index.expressions;
    let differs = existing.columns.len() != index.columns.len()
        || !existing.columns.iter().zip(&index.columns).all(|(left, right)| same(left, right));
    let difference = if *owner != table {
        format!("on `{owner}`")
    } else if has_plain_columns && differs {
        format!("on ({})", existing.columns.join(", "))
    } else if index.unique && !existing.unique {
        "and is not unique".to_owned()
    } else {
        return None;
    };
    Some(format!("an index `{key}` already exists {difference}; this statement does nothing"))
}
