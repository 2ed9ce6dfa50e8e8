//! The rule `index-not-concurrent`.

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
        "index-not-concurrent",
        "`CREATE INDEX` takes a SHARE lock on the table and holds it while the whole table is read: nobody can \
         insert, update or delete meanwhile. On a table of some size that is an outage. `CONCURRENTLY` reads the \
         table twice and lets others write; it cannot run in a transaction, so it stands in a migration of its own, \
         which this tool runs without one by itself.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "write `CREATE INDEX CONCURRENTLY`, in a migration of its own",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
        postgres(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a);"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "CREATE INDEX CONCURRENTLY i ON t (a);"]),
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
    let found = context.findings_for(
        |cause| matches!(cause, Cause::IndexBuild),
        |impact| format!("building an index stops all writes to `{}` until it is done", impact.table),
    );
    findings.all.extend(found);
}
