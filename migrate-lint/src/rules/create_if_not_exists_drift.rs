//! The rule `create-if-not-exists-drift`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "create-if-not-exists-drift",
        "The history has made the table already, with other columns. `IF NOT EXISTS` then does nothing, without a \
         word: databases that have the history keep the old columns, and whoever reads this file believes that they \
         have the new ones.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "write the difference as `ALTER TABLE`, and remove this definition",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    let Some(there) = context.relation(&key).filter(|there| there.columns_known) else { return };
    let missing = table.columns.iter().filter(|column| there.column(&column.name).is_none()).map(|column| column.name.clone());
    let gone = there
        .columns
        .iter()
        .filter(|own| !table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&own.name)))
        .map(|own| own.name.clone());
    let same = |column: &&syntax::Column| {
        there.column(&column.name).is_none_or(|own| own.ty == column.ty || own.ty.is_none() || column.ty.is_none())
    };
    let retyped = table
        .columns
        .iter()
        .filter(|column| !same(column) && !column.ty.as_ref().is_some_and(|ty| ty.name.ends_with("serial")))
        .map(|column| column.name.clone());
    let other: Vec<String> = missing.chain(gone).chain(retyped).map(|name| format!("`{name}`")).collect();
    if !other.is_empty() {
        findings
            .add(RuleFinding::new(format!("`{key}` is there already and differs in {}; this does nothing", other.join(", "))));
    }
}
