//! The rule `fk-without-index`.

use crate::context::FileContext;
use crate::rule::{Check, Rule, Verification, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "fk-without-index",
        "A foreign key whose columns no index begins with: each `DELETE` of a row in the other table, and each change \
         of its key, reads all of this table. (MySQL makes such an index by itself.)",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres, Dialect::Sqlite],
    fix: "build an index that begins with the columns of the foreign key",
    opt_in: false,
    down: false,
    check: Check::File(check),
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
            let begins = |indexed: &[String]| {
                indexed.len() >= columns.len()
                    && columns.iter().all(|column| indexed[..columns.len()].iter().any(|own| own.eq_ignore_ascii_case(column)))
            };
            if !relation.indexed().any(begins) {
                findings.add(RuleFinding::new(format!(
                    "no index of `{key}` begins with {}, which refers to `{table}`",
                    columns.join(", ")
                )));
            }
        }
    }
}
