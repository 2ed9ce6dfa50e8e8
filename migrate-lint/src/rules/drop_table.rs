//! The rule `drop-table`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::rebuild;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ObjectKind, Syntax};

/// Flags `DROP TABLE` of an existing table outside a contract migration.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-table",
        "`DROP TABLE` permanently deletes the table and its rows, and queries of the deployed version of the \
         application fail if they use the table. Drop a table in a contract migration (`-- migrate: phase \
         contract`), and deploy this migration only when no deployed version uses the table any more. In a contract \
         migration, `DROP TABLE` is not flagged.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "deploy a version of the application that no longer uses the table, then drop the table in a migration \
          with `-- migrate: phase \
         contract` in its header",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "DROP TABLE t;"]),
        postgres(&["CREATE TABLE t (a int);", "DO $$ BEGIN EXECUTE 'DROP TABLE t'; END $$;"]),
        postgres(&["DROP TABLE IF EXISTS made_elsewhere;"]),
        mysql(&["CREATE TABLE t (a int);", "DROP TABLE t;"]),
        sqlite(&["CREATE TABLE t (a int);", "DROP TABLE t;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nDROP TABLE t;"]),
        postgres(&["CREATE TABLE t (a int);", "-- Phase: CONTRACT\nDROP TABLE t;"]),
        postgres(&["CREATE TABLE t (a int); DROP TABLE t;"]),
        sqlite(&[
            "CREATE TABLE t (a int);",
            "CREATE TABLE t_new (a int NOT NULL); INSERT INTO t_new SELECT a FROM t; DROP TABLE t; ALTER TABLE t_new RENAME TO t;",
        ]),
        postgres(&["CREATE TEMP TABLE x (a int); DROP TABLE x;"]),
        postgres(&["DROP TABLE IF EXISTS t; CREATE TABLE t (a int);"]),
        sqlite(&[
            "CREATE TABLE t (a int);",
            "ALTER TABLE t RENAME TO t_old; CREATE TABLE t (a int NOT NULL); INSERT INTO t SELECT a FROM t_old; DROP TABLE t_old;",
        ]),
        postgres(&[
            "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE t PARTITION OF p DEFAULT;",
            "CREATE TABLE t2 (a int);\n--- down\nDROP TABLE t2;",
        ]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Drop(removal) = context.syntax() else { return };
    if removal.kind != ObjectKind::Table || removal.temporary || context.file.is_contract() {
        return;
    }
    for name in &removal.names {
        let key = context.schema.resolve(name);
        let relation = context.relation(&key);
        if !context.is_deployed(&key) || is_temporary(context, &key) || rebuild::is_rebuilt(context, &key) {
            continue;
        }
        // A table that this file renamed is the original of a rebuild.
        let renamed = relation.and_then(|relation| relation.renamed);
        if renamed.is_some_and(|renamed| renamed.migration == context.file.index) {
            continue;
        }
        // No migration creates this table: it may exist outside the migrations, or not at all.
        let may_not_exist = removal.if_exists && relation.is_none();
        if may_not_exist && rebuild::is_recreated(context, &key) {
            continue;
        }
        let message = format!(
            "the deployed version of the application may still use `{key}`, and dropping it deletes its rows permanently"
        );
        let finding = RuleFinding::new(message);
        findings.add(if may_not_exist {
            finding.at_most(Level::Warning).note("no migration creates this table")
        } else {
            finding
        });
    }
}

/// Reports whether this file created the table as a temporary one.
fn is_temporary(context: &StatementContext<'_>, key: &ObjectName) -> bool {
    context.executed_statements(&["CREATE", key.name()]).any(|statement| match &statement.syntax {
        Syntax::CreateTable(table) => {
            table.temporary && table.name.as_ref().is_some_and(|name| context.schema.resolve(name) == *key)
        }
        _ => false,
    })
}
