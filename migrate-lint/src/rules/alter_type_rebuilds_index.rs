//! The rule `alter-type-rebuilds-index`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a change of type or collation that keeps the rows and rebuilds indexes on the column.
pub static RULE: Rule = Rule {
    code: Code::new(
        "alter-type-rebuilds-index",
        "Some changes of the type or collation of a column do not rewrite the table, but rebuild the indexes on the \
         column under an ACCESS EXCLUSIVE lock. This applies to a change of the collation. It also applies to a \
         change to a type that has the same storage format and another operator class, such as `timestamp` to \
         `timestamptz` in a session with time zone UTC, `int` to `oid` or `text` to `citext`. A partial or \
         expression index that uses the column is rebuilt by every change of the type. Reads and writes are blocked \
         until the indexes are rebuilt. If no index uses the column, nothing is rebuilt.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "for a new collation, build an index with `CREATE INDEX CONCURRENTLY ... (column COLLATE ...)`, add the same \
         `COLLATE` to the queries, drop the old indexes on the column, and then change the column; for a new type, add a new \
         column, copy the values in batches, and build the index of the new column with `CREATE INDEX CONCURRENTLY`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a text); CREATE INDEX i ON t (a);", "ALTER TABLE t ALTER a TYPE text COLLATE \"C\";"]),
        postgres(&["CREATE TABLE t (a varchar(5)); CREATE INDEX i ON t (a) WHERE a <> 'x';", "ALTER TABLE t ALTER a TYPE text;"]),
        postgres(&[
            "CREATE TABLE t (a timestamp UNIQUE);",
            "SET LOCAL timezone = 'UTC'; ALTER TABLE t ALTER a TYPE timestamptz;",
        ]),
        postgres(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a);", "ALTER TABLE t ALTER a TYPE oid;"]),
        postgres(&["CREATE TABLE t (a bit(4)); CREATE INDEX i ON t (a);", "ALTER TABLE t ALTER a TYPE bit varying;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a text);", "ALTER TABLE t ALTER a TYPE text COLLATE \"C\";"]),
        postgres(&[
            "CREATE TABLE t (a int, b timestamp); CREATE INDEX i ON t (a) INCLUDE (b);",
            "SET LOCAL timezone = 'UTC'; ALTER TABLE t ALTER b TYPE timestamptz;",
        ]),
        postgres(&["CREATE TABLE t (a varchar(9)); CREATE INDEX i ON t (a);", "ALTER TABLE t ALTER a TYPE text;"]),
        postgres(&["CREATE TABLE t (a cidr); CREATE INDEX i ON t (a);", "ALTER TABLE t ALTER a TYPE inet;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::TypeIndexes),
        |impact| {
            format!(
                "the new type or collation rebuilds the indexes on the column and blocks reads and writes of `{}`",
                impact.table
            )
        },
    ));
}
