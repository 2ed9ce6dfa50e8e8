//! The rule `rename-table`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::rebuild;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};
use std::collections::BTreeSet;

/// Flags the renaming or moving of an existing table whose old name is not provided by a view or another table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rename-table",
        "Renaming a table, or moving it to another schema, breaks the deployed version of the application, which \
         uses the old name. Queries of this version on the table fail until the last process of this version has \
         stopped. To prevent this, create a view with the old name that is a plain `SELECT` of all columns and rows. \
         Create the view in the same transaction (on MySQL and MariaDB: in the same migration). The application can \
         read and write rows through such a view; on SQLite, it can only read them. In a contract migration (`-- \
         migrate: phase contract`), the rename is not flagged.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "in the same migration, add `CREATE VIEW old_name AS SELECT * FROM new_name;`, and drop the view in a later \
         contract migration; or keep the name",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u;"]),
        mysql(&["CREATE TABLE t (a int);", "RENAME TABLE t TO u;"]),
        mysql(&["CREATE TABLE users (a int); CREATE TABLE orders (a int);", "RENAME TABLE users TO users_old, orders TO users;"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u;"]),
        postgres(&["CREATE TABLE t (a int, b int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT a FROM u;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT a FROM u WHERE a > 3;"]),
        postgres(&["CREATE TABLE t (a int);", "BEGIN; ALTER TABLE t RENAME TO u; COMMIT; CREATE VIEW t AS SELECT * FROM u;"]),
        postgres(&["CREATE TABLE t (a int); CREATE SCHEMA s;", "ALTER TABLE t SET SCHEMA s;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT * FROM u;"]),
        postgres(&[
            "CREATE TABLE a (x int); CREATE TABLE b (x int);",
            "ALTER TABLE a RENAME TO tmp; ALTER TABLE b RENAME TO a; ALTER TABLE tmp RENAME TO b;",
        ]),
        mysql(&["CREATE TABLE a (x int); CREATE TABLE b (x int);", "RENAME TABLE a TO tmp, b TO a, tmp TO b;"]),
        mysql(&["CREATE TABLE t (id int); CREATE TABLE t_new LIKE t;", "RENAME TABLE t TO t_old, t_new TO t;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS TABLE u;"]),
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
    let mut report_rename = |table: ObjectName, range| {
        // A name that the table got in this file is not deployed.
        let renamed = context.relation(&table).and_then(|relation| relation.renamed);
        let is_name_new = renamed.is_some_and(|renamed| renamed.migration == context.file.index);
        if context.is_deployed(&table) && !is_name_new && !rebuild::has_replacement(context, &table) {
            let finding = RuleFinding::new(format!(
                "renaming `{table}` breaks the deployed version of the application, which uses this name"
            ));
            // On SQLite, a view with the old name does not accept writes.
            let finding = if context.server().dialect() == Dialect::Sqlite {
                finding.fix("keep the name, or rename the table in a contract migration")
            } else {
                finding
            };
            findings.add(match range {
                Some(range) => finding.at(range),
                None => finding,
            });
        }
    };
    match context.syntax() {
        Syntax::RenameTables(renames) => {
            let sources: BTreeSet<ObjectName> = renames.iter().map(|(source, _)| context.schema.resolve(source)).collect();
            let targets: BTreeSet<ObjectName> = renames.iter().map(|(_, target)| context.schema.resolve(target)).collect();
            for (from, to) in renames {
                let (old_name, new_name) = (context.schema.resolve(from), context.schema.resolve(to));
                // A copy that replaces its original was created for this purpose.
                let replaces = sources.contains(&new_name) && is_copy(context, &old_name, &new_name);
                if !replaces && !targets.contains(&old_name) {
                    report_rename(old_name, None);
                }
            }
        }
        _ => {
            for (table, action, range) in context.actions() {
                if matches!(action, ActionKind::Rename(_) | ActionKind::SetSchema(_)) {
                    report_rename(table, Some(range));
                }
            }
        }
    }
}

/// Was a table created as a copy of another one: with `LIKE`, or with a name that contains the name of the other?
fn is_copy(context: &StatementContext<'_>, table: &ObjectName, original: &ObjectName) -> bool {
    let copied = context.relation(table).is_some_and(|relation| relation.copied_from.as_ref() == Some(original));
    copied || table.name().contains(original.name())
}
