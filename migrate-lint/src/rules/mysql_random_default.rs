//! The rule `mysql-random-default`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags a column with `DEFAULT (rand())` that is added to an existing table of MariaDB.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-random-default",
        "MariaDB adds a column with `DEFAULT (rand())` instantly and evaluates the default only once, so every \
         existing row gets the same value. Rows that are inserted later each get their own value. The rule does not \
         apply to MySQL, which does not add a column with such a default instantly.",
    ),
    level: Level::Warning,
    on: &[Product::MariaDb],
    fix: "add the column without the default, update the rows in batches, then set the default",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[mysql(&[
        "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));",
        "ALTER TABLE t ADD z double DEFAULT (rand());",
    ])],
    not_flagged: &[mysql(&[
        "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));",
        "ALTER TABLE t ADD z double DEFAULT 0.5;",
    ])],
    verification: Verification::Seen("mariadb_evaluates_a_default_once_for_all_rows"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        let default = column.default.clone().map(|default| context.sql[default].to_ascii_lowercase());
        if default.is_some_and(|default| default.contains("rand(")) && context.is_deployed(&table) {
            findings.add(RuleFinding::new(format!("every existing row of `{table}` gets the same random value")).at(range));
        }
    }
}
