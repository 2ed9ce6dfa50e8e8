//! The rule `rebuild-drops-column`.

use crate::context::FileContext;
use crate::rule::{Check, Rule, Verification, mysql, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rebuild-drops-column",
        "A table in use is made anew: another one is filled from it and takes its name. The new one lacks a column, \
         so what was in it is gone for good, and the queries of the release that runs fail.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "stop using the column in one release; make the table anew without it in a later one, in a migration with `-- \
         migrate: phase contract` at its top",
    opt_in: false,
    down: false,
    check: Check::File(check),
    flagged: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, name text, age int);",
            "CREATE TABLE p2 (id integer PRIMARY KEY, name text); INSERT INTO p2 SELECT id, name FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int, a int);",
            "CREATE TABLE n (id int); INSERT INTO n SELECT id FROM t; RENAME TABLE t TO o, n TO t; DROP TABLE o;",
        ]),
    ],
    not_flagged: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, name text);",
            "CREATE TABLE p2 (id integer PRIMARY KEY, name text NOT NULL); INSERT INTO p2 SELECT id, name FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, age int);",
            "-- migrate: phase contract\nCREATE TABLE p2 (id integer PRIMARY KEY); INSERT INTO p2 SELECT id FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
    ],
    verification: Verification::Files,
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    if context.file.is_contract() {
        return;
    }
    for (key, before, after) in context.replaced() {
        let gone = before
            .columns
            .iter()
            .filter(|column| after.column(&column.name).is_none())
            .map(|column| format!("`{}`", column.name));
        let gone: Vec<String> = gone.collect();
        // One that is dropped and made again, empty, is told of where it is dropped.
        let told = after.renamed.is_none() && !after.has_rows;
        if !gone.is_empty() && before.columns_known && after.columns_known && !told {
            findings.add(RuleFinding::new(format!("`{key}` is made anew without {}", gone.join(", "))));
        }
    }
}
