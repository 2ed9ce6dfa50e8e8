//! The rule `mysql-foreign-key-unchecked`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, ConstraintKind};

/// Flags a foreign key that is added to an existing table while `foreign_key_checks` is 0.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-foreign-key-unchecked",
        "With `foreign_key_checks = 0`, the server adds a foreign key without checking the existing rows. It does \
         not check these rows later either, so the table may contain rows that reference a missing row. Setting \
         `foreign_key_checks` to 0 avoids a table copy, and is safe if a query has confirmed that no row references \
         a missing row.",
    ),
    level: Level::Warning,
    on: &[Product::MySql, Product::MariaDb],
    fix: "before the migration, find rows that reference a missing row: `SELECT ... LEFT JOIN ... WHERE parent.id IS \
         NULL`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[mysql(&[
        "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50)); CREATE TABLE u (id int PRIMARY KEY);",
        "SET foreign_key_checks = 0; ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
    ])],
    not_flagged: &[
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50)); CREATE TABLE u (id int PRIMARY KEY);",
            "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
        ]),
        mysql(&["SET foreign_key_checks = 0; CREATE TABLE t (a int);"]),
    ],
    verification: Verification::Seen("mariadb_does_not_check_rows_when_checks_are_off"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let ActionKind::AddConstraint(constraint) = action else { continue };
        if matches!(constraint.kind, ConstraintKind::Foreign { .. })
            && context.foreign_keys_unchecked
            && context.is_deployed(&table)
        {
            findings.add(RuleFinding::new(format!("rows of `{table}` that reference a missing row remain undetected")).at(range));
        }
    }
}
