//! The rule `table-rewrite`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags statements other than type changes that rewrite an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "table-rewrite",
        "`CLUSTER`, `VACUUM FULL`, `SET TABLESPACE`, `SET LOGGED`, `SET UNLOGGED` and `SET ACCESS METHOD` rewrite \
         the whole table under an ACCESS EXCLUSIVE lock; except for `SET TABLESPACE`, they also rebuild its indexes. \
         Reads and writes are blocked until the rewrite ends. These statements are safe for an empty table or a new table.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "use a tool that rewrites a table online (pg_repack, pg_squeeze), at a time of low traffic",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t SET UNLOGGED;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "CLUSTER t USING t_pkey;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "VACUUM FULL t;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY);", "-- migrate: no-transaction\nCLUSTER;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY);", "VACUUM FULL;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t SET TABLESPACE fast;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "VACUUM t;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY);", "VACUUM (FULL false) t;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t SET (fillfactor = 70);"]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t SET UNLOGGED;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::Rewrite),
        |impact| format!("the table rewrite blocks reads and writes on `{}`", impact.table),
    ));
}
