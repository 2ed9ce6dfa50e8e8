//! The rule `drop-column`.

use crate::context::{Age, StatementContext};
use crate::relation::Relation;
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-column",
        "The release that runs still names the column in its queries, which fail from then on, and what was in it is \
         gone for good. Destructive steps belong into a migration of phase contract, which runs when nothing uses the \
         column any more.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "stop using it in one release; drop it in a later one, in a migration with `-- migrate: phase contract` at \
         its top",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "SET STATEMENT lock_wait_timeout = 5 FOR ALTER TABLE t DROP COLUMN a;",
        ]),
        postgres(&["CREATE TABLE t (a int, b int);", "ALTER TABLE t DROP COLUMN b;"]),
        mysql(&["CREATE TABLE t (a int, b int);", "ALTER TABLE t DROP b;"]),
        sqlite(&["CREATE TABLE t (a int, b int);", "ALTER TABLE t DROP COLUMN b;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY);", "ALTER TABLE t DROP COLUMN IF EXISTS a;"]),
        postgres(&["CREATE TABLE t (a int, b int);", "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;"]),
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
            let message = format!("the release that runs still uses `{table}.{name}`, and what is in it is gone for good");
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}
