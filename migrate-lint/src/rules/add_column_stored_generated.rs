//! The rule `add-column-stored-generated`.

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
        "add-column-stored-generated",
        "`GENERATED ALWAYS AS (...) STORED` computes the value of every row at once: the whole table is written anew \
         under ACCESS EXCLUSIVE. A `VIRTUAL` one (PostgreSQL 18) is computed when it is read and costs nothing.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "add a plain column, keep it with a trigger, and fill the old rows in batches; or, from PostgreSQL 18, write \
         `VIRTUAL`",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "ALTER TABLE t ADD c int GENERATED ALWAYS AS (a * 2) STORED;",
    ])],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD c int GENERATED ALWAYS AS (a * 2) VIRTUAL;",
        ]),
        postgres(&["CREATE TABLE t (a int, c int GENERATED ALWAYS AS (a * 2) STORED);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::Stored),
        |impact| format!("adding a column that is computed and kept writes `{}` anew", impact.table),
    );
    findings.all.extend(found);
}
