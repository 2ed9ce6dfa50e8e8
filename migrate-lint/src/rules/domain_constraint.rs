//! The rule `domain-constraint`.

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
        "domain-constraint",
        "`ALTER DOMAIN ... ADD CONSTRAINT` and `SET NOT NULL` take a SHARE lock on every table that uses the domain \
         and read all of it. With `NOT VALID` nothing is read.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "write `ALTER DOMAIN ... ADD CONSTRAINT ... NOT VALID`, and `VALIDATE CONSTRAINT` in the next migration",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&[
            "CREATE DOMAIN d AS text; CREATE DOMAIN e AS d; CREATE TABLE t (a e);",
            "ALTER DOMAIN d ADD CHECK (VALUE <> '');",
        ]),
        postgres(&["CREATE DOMAIN d AS int; CREATE TABLE t (a d);", "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0);"]),
        postgres(&["CREATE DOMAIN d AS int; CREATE TABLE t (a d);", "ALTER DOMAIN d SET NOT NULL;"]),
    ],
    silent: &[postgres(&[
        "CREATE DOMAIN d AS int; CREATE TABLE t (a d);",
        "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0) NOT VALID;",
    ])],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::Domain),
        |impact| format!("the domain's new constraint reads all of `{}` while writes wait", impact.table),
    );
    // There is no milder way to look at the rows.
    let validates = scene.sql.to_ascii_uppercase().contains("VALIDATE");
    reports.all.extend(found.into_iter().map(|report| {
        match validates {
            true => report
                .at_most(Level::Warning)
                .instead("do it in a time of little traffic; a CHECK of the table can be validated while others write"),
            false => report,
        }
    }));
}
