//! The rule `unique-constraint-builds-index`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{PARTITIONED, Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `ADD CONSTRAINT ... UNIQUE` without `USING INDEX` on an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "unique-constraint-builds-index",
        "`ADD CONSTRAINT ... UNIQUE` builds an index under an ACCESS EXCLUSIVE lock, which blocks reads and writes \
         during the build. `CREATE UNIQUE INDEX CONCURRENTLY` builds the same index without blocking reads and \
         writes. `ADD CONSTRAINT ... UNIQUE USING INDEX` then needs the ACCESS EXCLUSIVE lock only briefly.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "write `CREATE UNIQUE INDEX CONCURRENTLY` in a separate migration, then `ADD CONSTRAINT ... UNIQUE USING INDEX`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a);",
    ])],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "CREATE UNIQUE INDEX CONCURRENTLY k ON t (a);",
            "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX k;",
        ]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD UNIQUE (a);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let rule_findings = context.findings_for(
        |cause| matches!(cause, Cause::Unique),
        |impact| format!("adding a unique constraint blocks reads and writes on `{}` during an index build", impact.table),
    );
    findings.all.extend(
        rule_findings.into_iter().map(|finding| if context.alters_partitioned() { finding.fix(PARTITIONED) } else { finding }),
    );
}
