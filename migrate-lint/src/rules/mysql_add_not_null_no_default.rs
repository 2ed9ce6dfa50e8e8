//! The rule `mysql-add-not-null-no-default`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags a `NOT NULL` column without a default that is added to an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-add-not-null-no-default",
        "Adding a `NOT NULL` column without a default stores an implicit default in every existing row: 0, '' or the \
         first value of an ENUM. The server reports no error or warning, and the application cannot distinguish \
         these values from real ones.",
    ),
    level: Level::Warning,
    on: &[Product::MySql, Product::MariaDb],
    fix: "specify the value with `DEFAULT ...`; or add the column as nullable, fill it in batches, then change it to NOT \
          NULL",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int NOT NULL;"])],
    not_flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int NOT NULL DEFAULT 0;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int;"]),
        mysql(&["CREATE TABLE t (a int); ALTER TABLE t ADD z int NOT NULL;"]),
    ],
    verification: Verification::Seen("mariadb_fills_not_null_columns"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        if column.not_null
            && column.default.is_none()
            && !column.identity
            && column.generated.is_none()
            && context.is_deployed(&table)
            && !context.is_emptied(&table)
        {
            findings.add(
                RuleFinding::new(format!("every existing row of `{table}` gets an implicit default for `{}`", column.name))
                    .at(range),
            );
        }
    }
}
