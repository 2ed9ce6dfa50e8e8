//! The rule `index-not-concurrent`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `CREATE INDEX` without `CONCURRENTLY` on an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "index-not-concurrent",
        "`CREATE INDEX` acquires a SHARE lock on the table and holds it until the end of the transaction, so \
         `INSERT`, `UPDATE` and `DELETE` are blocked at least until the index is built. On a large table with live \
         traffic, this is an outage. `CREATE INDEX CONCURRENTLY` scans the table twice and allows writes. This form \
         cannot run in a transaction. Put it in a separate migration; `cargo migrate` then runs the migration \
         outside a transaction automatically.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "write `CREATE INDEX CONCURRENTLY`, in a migration of its own",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "CREATE INDEX i ON t (a);"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "CREATE UNIQUE INDEX i ON t (a);"]),
        postgres(&["CREATE INDEX i ON made_elsewhere (a);"]),
        postgres(&["CREATE TABLE a.t (x int);", "CREATE TABLE b.t (x int); CREATE INDEX i ON a.t (x);"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "CREATE TABLE IF NOT EXISTS t (id bigint); CREATE INDEX i ON t (a);",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "DO $$ BEGIN CREATE INDEX i ON t (a); END $$;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "CREATE INDEX CONCURRENTLY i ON t (a);"]),
        postgres(&["CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE);", "CREATE INDEX IF NOT EXISTS t_pkey ON t (a);"]),
        postgres(&["CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE);", "CREATE UNIQUE INDEX IF NOT EXISTS t_a_key ON t (a);"]),
        postgres(&["CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a);", "CREATE INDEX IF NOT EXISTS i ON t (b);"]),
        postgres(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a);"]),
        postgres(&["CREATE TEMP TABLE t (a int);"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "CREATE TABLE IF NOT EXISTS u (a int); CREATE INDEX i ON u (a);",
        ]),
        postgres(&["CREATE TABLE a.t (x int); CREATE INDEX i ON a.t (x);"]),
        postgres(&["CREATE TABLE public.t (x int); CREATE INDEX i ON t (x);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::IndexBuild),
        |impact| format!("CREATE INDEX blocks writes to `{}` until it finishes", impact.table),
    ));
}
