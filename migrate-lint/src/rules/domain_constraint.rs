//! The rule `domain-constraint`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "domain-constraint",
        "`ALTER DOMAIN ... ADD CONSTRAINT` and `SET NOT NULL` take a SHARE lock on every table that uses the domain \
         and read all of it. With `NOT VALID` nothing is read.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "write `ALTER DOMAIN ... ADD CONSTRAINT ... NOT VALID`, and `VALIDATE CONSTRAINT` in the next migration",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE DOMAIN d AS text; CREATE DOMAIN e AS d; CREATE TABLE t (a e);",
            "ALTER DOMAIN d ADD CHECK (VALUE <> '');",
        ]),
        postgres(&["CREATE DOMAIN d AS int; CREATE TABLE t (a d);", "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0);"]),
        postgres(&["CREATE DOMAIN d AS int; CREATE TABLE t (a d);", "ALTER DOMAIN d SET NOT NULL;"]),
    ],
    not_flagged: &[postgres(&[
        "CREATE DOMAIN d AS int; CREATE TABLE t (a d);",
        "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0) NOT VALID;",
    ])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::Domain),
        |impact| format!("the domain's new constraint reads all of `{}` while writes wait", impact.table),
    );
    // There is no milder way to look at the rows.
    let validates = context.sql.to_ascii_uppercase().contains("VALIDATE");
    findings.all.extend(found.into_iter().map(|finding| {
        match validates {
            true => finding
                .at_most(Level::Warning)
                .fix("do it in a time of little traffic; a CHECK of the table can be validated while others write"),
            false => finding,
        }
    }));
}
