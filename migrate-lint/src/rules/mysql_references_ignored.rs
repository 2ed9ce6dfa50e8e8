//! The rule `mysql-references-ignored`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-references-ignored",
        "MySQL reads `REFERENCES` at a column and forgets it: there is no foreign key. (MariaDB makes one since \
         10.5.)",
    ),
    level: Level::Warning,
    on: &[Dialect::MySql],
    fix: "write it as a constraint of the table: `FOREIGN KEY (c) REFERENCES u (id)`",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[],
    not_flagged: &[mysql(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES u (id));"])],
    verification: Verification::Manual("MySQL 8.4 manual, 15.1.20.5 FOREIGN KEY Constraints"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.server().product != Product::MySql {
        return;
    }
    for column in context.new_columns().filter(|column| column.references.is_some()) {
        findings.add(RuleFinding::new(format!("there will be no foreign key at `{}`", column.name)).at(&column.range));
    }
}
