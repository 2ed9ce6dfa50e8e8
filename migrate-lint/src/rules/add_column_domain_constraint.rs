//! The rule `add-column-domain-constraint`.

use crate::impact::Cause;
use crate::report::Reports;
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "add-column-domain-constraint",
        "A new column whose type is a domain with a CHECK or NOT NULL makes PostgreSQL write the table anew under \
         ACCESS EXCLUSIVE.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "use the type that the domain stands on, and a constraint of the table that is NOT VALID at first",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE DOMAIN d AS int CHECK (VALUE > 0);",
            "ALTER TABLE t ADD COLUMN c d;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY); CREATE DOMAIN d AS int CHECK (VALUE > 0); CREATE DOMAIN e AS d;",
            "ALTER TABLE t ADD COLUMN c e;",
        ]),
    ],
    silent: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY); CREATE DOMAIN d AS int CHECK (VALUE > 0);",
            "ALTER TABLE t ADD COLUMN c d[];",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE DOMAIN d AS int;",
            "ALTER TABLE t ADD COLUMN c d;",
        ]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::ColumnDomain),
        |impact| format!("adding a column of a domain that refuses values writes `{}` anew", impact.table),
    );
    reports.all.extend(found);
}
