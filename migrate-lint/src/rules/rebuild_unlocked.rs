//! The rule `rebuild-unlocked`.

use crate::context::{FileContext, ParsedStatement};
use crate::object_name::ObjectName;
use crate::relation::Relation;
use crate::rule::{Check, Rule, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rebuild-unlocked",
        "A table in use is copied into a new one that takes its name, and nothing keeps others from writing meanwhile: what they \
         write between the copy and the change of names is in the old table only, and goes with it.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql],
    fix: "on PostgreSQL write `LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE;` before the copy, on MySQL `LOCK TABLES` for both tables, and rename them by `ALTER TABLE` while they are locked; or keep both \
         tables alike with a trigger; or change the table itself",
    opt_in: false,
    down: false,
    check: Check::File(check),
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
            "-- migrate: phase contract\nLOCK TABLE t IN SHARE MODE; CREATE TABLE n (id int PRIMARY KEY, a bigint); INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
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
    verification: Verification::Seen("what_is_written_during_a_copy_is_lost"),
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    let reads = context.file.statements;
    for (key, _, after) in context.replaced() {
        let Some(copy) = reads.iter().position(|read| copies(context, read, key, after)) else { continue };
        if !reads[..copy].iter().any(|read| stops_writes(context, read, key, &reads[copy])) {
            findings.add(RuleFinding::new(format!("what others write to `{key}` while it is copied is lost")));
        }
    }
}

/// Are rows of a table put into the one that takes its place?
fn copies(context: &FileContext<'_>, read: &ParsedStatement, key: &ObjectName, after: &Relation) -> bool {
    let is_new = |name| context.takes_place(name, key, after);
    match &read.syntax {
        Syntax::Insert(insert) => insert.reads_table && is_new(&insert.table),
        Syntax::CreateTable(table) => table.as_query && table.name.as_ref().is_some_and(is_new),
        _ => false,
    }
}

/// Does a statement before the copy keep others from writing, or follow what they write?
fn stops_writes(context: &FileContext<'_>, read: &ParsedStatement, key: &ObjectName, copy: &ParsedStatement) -> bool {
    let is_it = |name| context.after.schema.resolve(name) == *key;
    let held = read.in_transaction && read.point.transaction == copy.point.transaction;
    match &read.syntax {
        Syntax::Lock { tables, .. } => tables.iter().any(is_it),
        Syntax::CreateTrigger { table: Some(table), .. } => is_it(table),
        Syntax::AlterTable(alter) => held && is_it(&alter.table),
        Syntax::RenameTables(renames) => renames.iter().any(|(from, _)| is_it(from)),
        _ => false,
    }
}
