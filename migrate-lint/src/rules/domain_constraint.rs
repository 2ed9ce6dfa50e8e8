//! The rule `domain-constraint`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags changes of a domain that scan every table with a column of that domain.
pub static RULE: Rule = Rule {
    code: Code::new(
        "domain-constraint",
        "`ALTER DOMAIN ... ADD CONSTRAINT`, `SET NOT NULL` and `VALIDATE CONSTRAINT` acquire a SHARE lock on every \
         table that uses the domain, and scan these tables. The locks block writes to these tables until the end of \
         the transaction. `ADD CONSTRAINT ... NOT VALID` scans no table.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "use `ALTER DOMAIN ... ADD CONSTRAINT ... NOT VALID`, which checks only new and changed values; run \
         `VALIDATE CONSTRAINT` in the next migration, at a time of low traffic, because the validation blocks writes \
         during the scan",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE DOMAIN d AS int; CREATE TABLE t (a d);", "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0);"]),
        postgres(&[
            "CREATE DOMAIN d AS text; CREATE DOMAIN e AS d; CREATE TABLE t (a e);",
            "ALTER DOMAIN d ADD CHECK (VALUE <> '');",
        ]),
        postgres(&["CREATE DOMAIN d AS int; CREATE TABLE t (a d);", "ALTER DOMAIN d SET NOT NULL;"]),
    ],
    not_flagged: &[postgres(&[
        "CREATE DOMAIN d AS int; CREATE TABLE t (a d);",
        "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0) NOT VALID;",
    ])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let scans = context.findings_for(
        |cause| matches!(cause, Cause::Domain),
        |impact| format!("checking the domain constraint scans `{}` and blocks writes to it", impact.table),
    );
    if scans.is_empty() {
        return;
    }
    // PostgreSQL cannot validate a constraint of a domain under a weaker lock.
    let validates = context.sql.to_ascii_uppercase().contains("VALIDATE");
    findings.all.extend(scans.into_iter().map(|finding| {
        if validates {
            finding.at_most(Level::Warning).fix(
                "validate the constraint at a time of low traffic, or use a `CHECK` constraint on the table: its validation \
                 allows writes",
            )
        } else {
            finding
        }
    }));
}
