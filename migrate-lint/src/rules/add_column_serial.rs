//! The rule `add-column-serial`.

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
        "add-column-serial",
        "A `serial` column or one that is `GENERATED AS IDENTITY` gives every row that is there a number of its own: \
         the whole table and its indexes are written anew under ACCESS EXCLUSIVE.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "add a plain `bigint` column and a sequence, `SET DEFAULT nextval(...)`, fill the old rows in batches, then \
         make it NOT NULL (and an identity)",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN n serial;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY;",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD n bigserial;"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE t (id bigserial PRIMARY KEY);"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN n bigint;"]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD n serial;"]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::Serial | Cause::Identity),
        |impact| format!("adding a column that counts by itself writes `{}` anew", impact.table),
    );
    reports.all.extend(found);
}
