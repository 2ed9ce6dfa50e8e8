//! The rule `drop-table`.

use crate::context::StatementContext;
use crate::rebuild;
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ObjectKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-table",
        "The release that runs still reads and writes the table until the last of its processes has ended, and its \
         rows are gone for good. Destructive steps belong into a migration of phase contract (`-- migrate: phase \
         contract`), which runs when nothing uses the table any more.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "stop using it in one release; drop it in a later one, in a migration with `-- migrate: phase contract` at \
         its top",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "DO $$ BEGIN EXECUTE 'DROP TABLE t'; END $$;"]),
        postgres(&["CREATE TABLE t (a int);", "DROP TABLE t;"]),
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
        let temporary = context.earlier_statements().iter().any(|read| match &read.syntax {
            Syntax::CreateTable(table) => {
                table.temporary && table.name.as_ref().is_some_and(|own| context.schema.resolve(own) == key)
            }
            _ => false,
        });
        // What comes again under its name is another matter, and what the history never made is not there.
        let renamed = context.relation(&key).and_then(|relation| relation.renamed);
        let aside = renamed.is_some_and(|renamed| renamed.migration == context.file.index);
        let never = removal.if_exists && context.relation(&key).is_none() && rebuild::is_recreated(context, &key);
        if context.is_deployed(&key) && !temporary && !never && !aside && !rebuild::is_rebuilt(context, &key) {
            let finding = RuleFinding::new(format!("the release that runs still uses `{key}`, and its rows are gone for good"));
            // It may have been made elsewhere, or not at all.
            let perhaps = removal.if_exists && context.relation(&key).is_none();
            findings.add(if perhaps { finding.at_most(Level::Warning).note("no migration here makes it") } else { finding });
        }
    }
}
