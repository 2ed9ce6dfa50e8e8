//! The rule `check-not-valid-missing`.

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
        "check-not-valid-missing",
        "`ADD CONSTRAINT ... CHECK` looks at every row under ACCESS EXCLUSIVE: nobody can read or write meanwhile. \
         With `NOT VALID` it is over in a moment and holds for new rows; `VALIDATE CONSTRAINT` looks at the old ones \
         later, while others read and write.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "add it with `NOT VALID`, and write `VALIDATE CONSTRAINT` in the next migration",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD CHECK (a > 0);"]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;",
        ]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::Check),
        |impact| format!("adding a constraint reads all of `{}` while everybody waits", impact.table),
    );
    findings.all.extend(found);
}
