//! The rule `rename-table`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::rebuild;
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rename-table",
        "The release that runs knows the table by its old name: each of its queries fails until the last of its \
         processes has ended. A view of the old name, made in the same transaction, keeps it working (rows can be read \
         and written through it, as long as it is a plain `SELECT` of all columns and rows).",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "add `CREATE VIEW old_name AS SELECT * FROM new_name;` in the same migration, and drop it in a contract \
         migration later; or leave the name",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u;"]),
        mysql(&["CREATE TABLE t (a int);", "RENAME TABLE t TO u;"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u;"]),
        postgres(&["CREATE TABLE t (a int, b int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT a FROM u;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT a FROM u WHERE a > 3;"]),
        postgres(&["CREATE TABLE t (a int);", "BEGIN; ALTER TABLE t RENAME TO u; COMMIT; CREATE VIEW t AS SELECT * FROM u;"]),
        postgres(&["CREATE TABLE t (a int); CREATE SCHEMA s;", "ALTER TABLE t SET SCHEMA s;"]),
    ],
    not_flagged: &[
        mysql(&["CREATE TABLE t (id int); CREATE TABLE t_new LIKE t;", "RENAME TABLE t TO t_old, t_new TO t;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS TABLE u;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT * FROM u;"]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nALTER TABLE t RENAME TO u;"]),
        sqlite(&[
            "CREATE TABLE t (a int);",
            "CREATE TABLE new_t (a int); INSERT INTO new_t SELECT * FROM t; DROP TABLE t; ALTER TABLE new_t RENAME TO t;",
        ]),
        mysql(&["CREATE TABLE t (a int);", "RENAME TABLE t TO u; CREATE VIEW t AS SELECT a FROM u;"]),
        mysql(&["CREATE TABLE t (a int);", "CREATE TABLE n (a bigint); RENAME TABLE t TO o, n TO t;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.file.is_contract() {
        return;
    }
    let mut renamed = |table: ObjectName, range| {
        if context.is_deployed(&table) && !rebuild::has_replacement(context, &table) {
            let finding = RuleFinding::new(format!("the release that runs knows `{table}` by this name only"));
            // Nobody writes through a view of SQLite.
            let finding = match context.server().dialect() {
                Dialect::Sqlite => finding.fix("leave the name, or rename it in a contract migration"),
                _ => finding,
            };
            findings.add(match range {
                Some(range) => finding.at(range),
                None => finding,
            });
        }
    };
    match context.syntax() {
        Syntax::RenameTables(renames) => {
            for (from, to) in renames {
                // What takes the place of another was made for that.
                let takes_place = renames.iter().any(|(other, _)| context.schema.resolve(other) == context.schema.resolve(to));
                let again =
                    takes_place || renames.iter().any(|(_, to)| context.schema.resolve(to) == context.schema.resolve(from));
                if !again {
                    renamed(context.schema.resolve(from), None);
                }
            }
        }
        _ => {
            for (table, action, range) in context.actions() {
                if matches!(action, ActionKind::Rename(_) | ActionKind::SetSchema(_)) {
                    renamed(table, Some(range));
                }
            }
        }
    }
}
