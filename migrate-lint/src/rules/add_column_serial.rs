//! The rule `add-column-serial`.

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
        "add-column-serial",
        "A `serial` column or one that is `GENERATED AS IDENTITY` gives every row that is there a number of its own: \
         the whole table and its indexes are written anew under ACCESS EXCLUSIVE.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "add a plain `bigint` column and a sequence, `SET DEFAULT nextval(...)`, fill the old rows in batches, then \
         make it NOT NULL (and an identity)",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN n serial;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY;",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD n bigserial;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigserial PRIMARY KEY);"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN n bigint;"]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD n serial;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::Serial | Cause::Identity),
        |impact| format!("adding a column that counts by itself writes `{}` anew", impact.table),
    );
    findings.all.extend(found);
}
