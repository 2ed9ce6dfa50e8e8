//! The rule `identifier-too-long`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};

/// Flags names that exceed the limit of the database.
pub static RULE: Rule = Rule {
    code: Code::new(
        "identifier-too-long",
        "PostgreSQL truncates names to 63 bytes and reports this only as a notice, whereas MySQL and MariaDB reject \
         names of more than 64 characters. On PostgreSQL, two long names with the same first 63 bytes become the \
         same name. A later statement that contains the full name works only because PostgreSQL truncates the name \
         there too.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb],
    fix: "choose a shorter name",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (a int); CREATE INDEX an_index_with_a_name_that_is_much_longer_than_the_sixty_three_bytes_there_are ON t (a);",
        ]),
        postgres(&["CREATE TABLE a_table_with_a_name_that_is_much_longer_than_the_sixty_three_bytes_there_are (a int);"]),
    ],
    not_flagged: &[postgres(&[
        "CREATE TABLE t (a int); CREATE INDEX an_index_with_a_name_that_is_just_as_long_as_sixty_three_bytes1 ON t (a);",
    ])],
    verification: Verification::Manual("PostgreSQL manual, 4.1.1 Identifiers and Key Words"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let too_long = |name: &str| match context.schema.dialect() {
        Dialect::Postgres => name.len() > 63,
        _ => name.chars().count() > 64,
    };
    let mut names: Vec<&str> = Vec::new();
    match context.syntax() {
        Syntax::CreateTable(table) => {
            names.extend(table.name.as_ref().map(|name| name.name.as_str()));
            names.extend(table.columns.iter().map(|column| column.name.as_str()));
            names.extend(table.constraints.iter().filter_map(|constraint| constraint.name.as_deref()));
        }
        Syntax::CreateIndex(index) => names.extend(index.name.as_ref().map(|name| name.name.as_str())),
        Syntax::CreateView(view) => names.push(&view.name.name),
        Syntax::AlterTable(alter) => names.extend(alter.actions.iter().filter_map(|action| match &action.kind {
            ActionKind::AddColumn { column, .. } => Some(column.name.as_str()),
            ActionKind::AddConstraint(constraint) => constraint.name.as_deref(),
            ActionKind::Rename(name) => Some(name.name.as_str()),
            ActionKind::RenameColumn { to, .. } | ActionKind::RenameConstraint { to, .. } => Some(to.as_str()),
            _ => None,
        })),
        _ => {}
    }
    for name in names.into_iter().filter(|name| too_long(name)) {
        findings.add(RuleFinding::new(format!("the name `{name}` is too long: {} bytes", name.len())));
    }
}
