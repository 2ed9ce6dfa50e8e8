//! The rule `primary-key-builds-index`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{PARTITIONED, Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `ADD PRIMARY KEY` on an existing table when it builds its own index.
pub static RULE: Rule = Rule {
    code: Code::new(
        "primary-key-builds-index",
        "`ADD PRIMARY KEY` builds a unique index under an ACCESS EXCLUSIVE lock, which blocks reads and writes. If \
         one of the columns is nullable, PostgreSQL also scans the table for nulls under this lock. In a new table, \
         the statement is harmless.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "build the index with `CREATE UNIQUE INDEX CONCURRENTLY`; make the columns NOT NULL with a validated CHECK \
         (see the rule `pk-using-index-nullable`); then run `ADD PRIMARY KEY USING INDEX`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
    let key_findings = context.findings_for(
        |cause| matches!(cause, Cause::Primary),
        |impact| format!("adding a primary key builds an index on `{}` and blocks reads and writes", impact.table),
    );
    let is_partitioned = context.alters_partitioned();
    let with_fix = key_findings.into_iter().map(|finding| if is_partitioned { finding.fix(PARTITIONED) } else { finding });
    findings.all.extend(with_fix);
}
