//! The rule `unique-constraint-builds-index`.

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
        "unique-constraint-builds-index",
        "`ADD CONSTRAINT ... UNIQUE` builds an index under ACCESS EXCLUSIVE. Build it first with `CREATE UNIQUE INDEX \
         CONCURRENTLY`, then take it over with `ADD CONSTRAINT ... UNIQUE USING INDEX`, which takes a moment.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "write `CREATE UNIQUE INDEX CONCURRENTLY` in a migration of its own, then `ADD CONSTRAINT ... UNIQUE USING \
         INDEX`",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    let found = context.findings_for(
        |cause| matches!(cause, Cause::Unique),
        |impact| format!("adding a unique constraint builds its index over `{}` while everybody waits", impact.table),
    );
    findings.all.extend(found.into_iter().map(|finding| match context.alters_partitioned() {
        true => finding.fix(PARTITIONED),
        false => finding,
    }));
}
