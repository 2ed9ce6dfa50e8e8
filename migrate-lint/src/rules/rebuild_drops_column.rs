//! The rule `rebuild-drops-column`.

use crate::context::FileContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a file that rebuilds an existing table without one of its columns.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rebuild-drops-column",
        "The migration rebuilds an existing table without one of its columns. A rebuild copies the rows to a new \
         table and gives the new table the name of the old one. The data of the omitted column is permanently \
         deleted, and queries of the deployed version of the application fail if they use the column. In a contract \
         migration (`-- migrate: phase contract`), this is not flagged.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "first remove the column from the application; in a later migration with `-- migrate: phase contract` in \
         its header, rebuild the table without the column",
    opt_in: false,
    down: false,
    check: RuleCheck::File(check),
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
        let missing = before.columns.iter().filter(|column| after.column(&column.name).is_none());
        let missing: Vec<String> = missing.map(|column| format!("`{}`", column.name)).collect();
        // `drop-table` reports a table that is dropped and created again empty.
        let is_recreated_empty = after.renamed.is_none() && !after.has_rows;
        if !missing.is_empty() && before.columns_known && after.columns_known && !is_recreated_empty {
            findings.add(RuleFinding::new(format!("`{key}` is rebuilt without {}", missing.join(", "))));
        }
    }
}
