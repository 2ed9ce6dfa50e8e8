//! The rule `primary-key-builds-index`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Check, PARTITIONED, Rule, Verification, postgres};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "primary-key-builds-index",
        "`ADD PRIMARY KEY` builds an index under ACCESS EXCLUSIVE, and reads the table once more for each column that \
         may be null.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "write `CREATE UNIQUE INDEX CONCURRENTLY`, make the columns NOT NULL by a validated CHECK, then `ADD PRIMARY \
         KEY USING INDEX`",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD PRIMARY KEY (a);"])],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD PRIMARY KEY (a);"]),
        postgres(&[
            "CREATE TABLE t (a int NOT NULL);",
            "CREATE UNIQUE INDEX CONCURRENTLY k ON t (a);",
            "ALTER TABLE t ADD PRIMARY KEY USING INDEX k;",
        ]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::Primary),
        |impact| format!("adding a primary key builds its index over `{}` while everybody waits", impact.table),
    );
    findings.all.extend(found.into_iter().map(|finding| match context.alters_partitioned() {
        true => finding.fix(PARTITIONED),
        false => finding,
    }));
}
