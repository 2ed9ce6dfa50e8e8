//! The rule `fk-without-index`.

use crate::context::FileContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags foreign keys without an index that begins with their columns.
pub static RULE: Rule = Rule {
    code: Code::new(
        "fk-without-index",
        "If no index begins with the columns of a foreign key, each `DELETE` of a referenced row, and each update of \
         the referenced columns, scans the entire referencing table. The rule does not apply to MySQL and MariaDB, \
         which create such an index automatically.",
    ),
    level: Level::Note,
    on: &[Product::Postgres, Product::Sqlite],
    fix: "create an index that begins with the columns of the foreign key",
    opt_in: false,
    down: false,
    check: RuleCheck::File(check),
    flagged: &[
        postgres(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id));"]),
        sqlite(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id));"]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id)); CREATE INDEX i ON t (u_id);",
        ]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int PRIMARY KEY REFERENCES u (id));"]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id), x int, UNIQUE (u_id, x));"]),
    ],
    verification: Verification::Manual("PostgreSQL manual, 5.4.5 Foreign Keys"),
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    let index = context.file.index;
    for (key, relation) in context.changed_relations() {
        for (_, columns, table, _) in relation.foreign_keys().filter(|(constraint, ..)| constraint.added.migration == index) {
            let begins_with_columns = |indexed: &[String]| {
                let Some(first) = indexed.get(..columns.len()) else { return false };
                columns.iter().all(|column| first.iter().any(|name| name.eq_ignore_ascii_case(column)))
            };
            // An index that begins with the columns contains the first one.
            let Some(first) = columns.first() else { continue };
            if !relation.indexed_with(first).any(begins_with_columns) {
                let columns = columns.join(", ");
                findings.add(RuleFinding::new(format!(
                    "no index of `{key}` begins with ({columns}), the columns of the foreign key that references `{table}`"
                )));
            }
        }
    }
}
