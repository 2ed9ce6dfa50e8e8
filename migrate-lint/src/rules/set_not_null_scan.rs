//! The rule `set-not-null-scan`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `SET NOT NULL` on an existing table without a validated `CHECK (column IS NOT NULL)`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "set-not-null-scan",
        "`SET NOT NULL` scans the whole table under an ACCESS EXCLUSIVE lock, which blocks reads and writes. \
         PostgreSQL 12 and later skip the scan if a validated CHECK constraint proves that the column contains no \
         nulls.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "write `ADD CONSTRAINT k CHECK (c IS NOT NULL) NOT VALID`; in the next migration, write `VALIDATE \
         CONSTRAINT k`, then `SET NOT NULL`, and then `DROP CONSTRAINT k`, each as a separate statement",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ALTER a SET NOT NULL;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); ALTER TABLE t ADD CONSTRAINT k CHECK (a IS NOT NULL) NOT VALID;",
            "ALTER TABLE t ALTER a SET NOT NULL;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); ALTER TABLE t ADD CONSTRAINT k CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t ADD CONSTRAINT j CHECK (id > 0) NOT VALID;",
            "ALTER TABLE t VALIDATE CONSTRAINT j;",
            "ALTER TABLE t ALTER a SET NOT NULL;",
        ]),
        postgres(&[
            "CREATE TABLE t (a int, CONSTRAINT k CHECK (a IS NOT NULL));",
            "ALTER TABLE t ALTER a SET NOT NULL, DROP CONSTRAINT k;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE SCHEMA app;",
            "CREATE TABLE app.t (a int); SET search_path TO app;",
            "ALTER TABLE t ALTER a SET NOT NULL;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); ALTER TABLE t ADD CONSTRAINT k CHECK (a IS NOT NULL OR id > 0) NOT VALID;",
            "ALTER TABLE t VALIDATE CONSTRAINT k;",
            "ALTER TABLE t ALTER a SET NOT NULL;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); ALTER TABLE t ADD CONSTRAINT k CHECK (a IS NOT NULL) NOT VALID;",
            "ALTER TABLE t VALIDATE CONSTRAINT k;",
            "ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t DROP CONSTRAINT k;",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ALTER id SET NOT NULL;"]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ALTER a SET NOT NULL;"]),
        postgres(&["CREATE TEMP TABLE x (a int); ALTER TABLE x ALTER a SET NOT NULL;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); ALTER TABLE t ADD CHECK (a IS NOT NULL) NOT VALID;",
            "ALTER TABLE t VALIDATE CONSTRAINT t_a_check;",
            "ALTER TABLE t ALTER a SET NOT NULL;",
        ]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::NotNull),
        |impact| format!("`SET NOT NULL` blocks reads and writes on `{}` during a table scan", impact.table),
    ));
}
