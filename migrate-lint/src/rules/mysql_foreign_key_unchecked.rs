//! The rule `mysql-foreign-key-unchecked`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, ConstraintKind};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-foreign-key-unchecked",
        "With `foreign_key_checks = 0` a foreign key is added without looking at the rows, and nothing ever looks at \
         them: it may not hold.",
    ),
    level: Level::Warning,
    on: &[Dialect::MySql],
    fix: "look for such rows before: `SELECT ... LEFT JOIN ... WHERE parent.id IS NULL`",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
            findings
                .add(RuleFinding::new(format!("rows of `{table}` that refer to nothing stay, and are never found")).at(range));
        }
    }
}
