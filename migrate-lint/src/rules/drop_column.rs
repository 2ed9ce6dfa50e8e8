//! The rule `drop-column`.

use crate::context::{Age, StatementContext};
use crate::relation::Relation;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags `DROP COLUMN` of an existing column outside a contract migration.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-column",
        "`DROP COLUMN` permanently deletes the data of the column, and queries of the deployed version of the \
         application fail if they use the column. Drop a column in a contract migration (`-- migrate: phase \
         contract`), and deploy this migration only when no deployed version uses the column any more. In a contract \
         migration, `DROP COLUMN` is not flagged.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "deploy a version of the application that no longer uses the column, then drop the column in a migration \
          with `-- migrate: phase \
         contract` in its header",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int, b int);", "ALTER TABLE t DROP COLUMN b;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "SET STATEMENT lock_wait_timeout = 5 FOR ALTER TABLE t DROP COLUMN a;",
        ]),
        mysql(&["CREATE TABLE t (a int, b int);", "ALTER TABLE t DROP b;"]),
        sqlite(&["CREATE TABLE t (a int, b int);", "ALTER TABLE t DROP COLUMN b;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int, b int);", "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY);", "ALTER TABLE t DROP COLUMN IF EXISTS a;"]),
        postgres(&["CREATE TABLE t (a int, b int); ALTER TABLE t DROP COLUMN b;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int; ALTER TABLE t DROP b;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int;\n--- down\nALTER TABLE t DROP b;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.file.is_contract() {
        return;
    }
    for (table, action, range) in context.actions() {
        let ActionKind::DropColumn { name, if_exists, .. } = action else { continue };
        let lacks = |relation: &Relation| relation.columns_known && relation.column(name).is_none();
        if *if_exists && context.relation(&table).is_some_and(lacks) {
            continue;
        }
        if context.column_age(&table, name) == Age::Deployed && context.is_deployed(&table) {
            let message = format!(
                "the deployed version of the application may still use `{table}.{name}`, and dropping it deletes its \
                 data permanently"
            );
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}
