//! The rule `prefer-bigint`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a primary key column of an integer type smaller than `bigint`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "prefer-bigint",
        "A primary key of type `int` cannot exceed 2,147,483,647 (`int unsigned`: 4,294,967,295), and changing its \
         type later rewrites or copies the table. `smallint` and `mediumint` have lower limits. Such a type is fine \
         for a table that never reaches the limit.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb],
    fix: "write `bigint` (`bigserial` instead of `serial`)",
    opt_in: true,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&["CREATE TABLE t (id int PRIMARY KEY);"]), postgres(&["CREATE TABLE t (id serial PRIMARY KEY);"])],
    not_flagged: &[postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int);"])],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for column in context.new_columns() {
        let Some(ty) = &column.ty else { continue };
        if column.primary && matches!(ty.name.as_str(), "int" | "serial" | "smallint" | "smallserial" | "mediumint") {
            findings.add(RuleFinding::new(format!("primary key column `{}` has type `{ty}`", column.name)).at(&column.range));
        }
    }
}
