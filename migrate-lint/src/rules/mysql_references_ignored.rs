//! The rule `mysql-references-ignored`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a `REFERENCES` clause of a column, which MySQL ignores.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-references-ignored",
        "MySQL before version 9.0 parses the `REFERENCES` clause of a column definition and ignores it: the server \
         creates no foreign key. The table then accepts rows that reference a missing row. MySQL 9.0 and later and \
         MariaDB 10.5 and later create the foreign key. The rule therefore reports nothing for these servers.",
    ),
    level: Level::Warning,
    on: &[Product::MySql],
    fix: "write the foreign key as a table constraint: `FOREIGN KEY (c) REFERENCES u (id)`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[],
    not_flagged: &[mysql(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES u (id));"])],
    verification: Verification::Manual("MySQL 8.4 manual, 15.1.20.5 FOREIGN KEY Constraints"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.server().is_at_least(9, 0) {
        return;
    }
    for column in context.new_columns().filter(|column| column.references.is_some()) {
        findings
            .add(RuleFinding::new(format!("`REFERENCES` on column `{}` creates no foreign key", column.name)).at(&column.range));
    }
}
