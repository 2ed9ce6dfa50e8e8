//! The rule `rebuild-unlocked`.

use crate::context::{FileContext, ParsedStatement};
use crate::object_name::ObjectName;
use crate::relation::Relation;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags a file that copies an existing table into its replacement without blocking writes to it.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rebuild-unlocked",
        "The migration copies the rows of an existing table to a new table that then takes the name of the old one, \
         while other sessions can write to the old table. Rows that are written after the copy and before the rename \
         exist only in the old table, and are lost when the old table is dropped. If no other session writes to the \
         table meanwhile, the copy is safe.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb],
    fix: "block writes before the copy. On PostgreSQL, use `LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE`. On MySQL and MariaDB, \
         lock both tables with `LOCK TABLES`, and rename them with `ALTER TABLE` before `UNLOCK TABLES`. Alternatively, \
         copy later writes with a trigger, or use `ALTER TABLE` instead of a rebuild",
    opt_in: false,
    down: false,
    check: RuleCheck::File(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "-- migrate: phase contract\nCREATE TABLE n (id int PRIMARY KEY, a bigint); INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "-- migrate: phase contract\nCREATE TABLE n LIKE t; INSERT INTO n SELECT * FROM t; RENAME TABLE t TO o, n TO t;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "-- migrate: phase contract\nLOCK TABLE t IN SHARE ROW EXCLUSIVE MODE; CREATE TABLE n (id int PRIMARY KEY, a bigint); INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
        ]),
        postgres(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "-- migrate: phase contract\nALTER TABLE t RENAME TO o; CREATE TABLE t (id int PRIMARY KEY, a bigint); INSERT INTO t SELECT * FROM o; DROP TABLE o;",
        ]),
        postgres(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';",
            "-- migrate: phase contract\nCREATE TABLE n (id int PRIMARY KEY, a bigint); CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE n LIKE t; INSERT INTO n SELECT * FROM t; RENAME TABLE t TO o, n TO t;",
        ]),
    ],
    verification: Verification::Seen("writes_during_a_copy_are_lost"),
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    for (key, _, after) in context.replaced() {
        let mut candidates = context.statements_about(key, after);
        let Some(copy) = candidates.find(|statement| copies(context, statement, key, after)) else { continue };
        let mut earlier = context.statements_with(&[key.name()]).take_while(|earlier| !std::ptr::eq(*earlier, copy));
        if !earlier.any(|earlier| protects_writes(context, earlier, key, copy)) {
            findings.add(RuleFinding::new(format!("rows that other sessions write to `{key}` during the copy are lost")));
        }
    }
}

/// Does the statement copy rows into the table that replaces `key`?
fn copies(context: &FileContext<'_>, statement: &ParsedStatement, key: &ObjectName, after: &Relation) -> bool {
    let is_new = |name| context.takes_place(name, key, after);
    match &statement.syntax {
        Syntax::Insert(insert) => insert.reads_table && is_new(&insert.table),
        Syntax::CreateTable(table) => table.as_query && table.name.as_ref().is_some_and(is_new),
        _ => false,
    }
}

/// Does a statement before the copy block writes, or create a trigger that can copy them?
fn protects_writes(context: &FileContext<'_>, earlier: &ParsedStatement, key: &ObjectName, copy: &ParsedStatement) -> bool {
    let is_table = |name| context.after.schema.resolve(name) == *key;
    let same_transaction = earlier.in_transaction && earlier.point.transaction == copy.point.transaction;
    match &earlier.syntax {
        Syntax::Lock { tables, .. } => tables.iter().any(is_table),
        Syntax::CreateTrigger { table: Some(table), .. } => is_table(table),
        Syntax::AlterTable(alter) => same_transaction && is_table(&alter.table),
        Syntax::RenameTables(renames) => renames.iter().any(|(from, _)| is_table(from)),
        _ => false,
    }
}
