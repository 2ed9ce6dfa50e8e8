//! The rule `alter-type-rewrite`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a type change that rewrites the table, or may rewrite it.
pub static RULE: Rule = Rule {
    code: Code::new(
        "alter-type-rewrite",
        "Most changes of a column type rewrite the table and its indexes under an ACCESS EXCLUSIVE lock, which \
         blocks reads and writes. For example, changing `int` to `bigint` rewrites the table. The most common \
         changes that need no rewrite are a longer or unlimited `varchar`, `varchar` to `text`, `text` to `varchar` \
         without a limit, a larger precision of `numeric` with the same scale, a larger precision of `timestamp` or \
         `time`, `cidr` to `inet`, and a longer `bit varying`. Some other changes rebuild only the indexes on the \
         column; the rule `alter-type-rebuilds-index` reports them. If a foreign key uses the column, PostgreSQL creates the \
         foreign key again, and the other table of the foreign key has the same lock during the rewrite.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "add a column of the new type, maintain it with a trigger, fill it in batches, and switch the application to \
         it; then drop the old column in a contract migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ALTER COLUMN a TYPE bigint;"]),
        postgres(&[
            "CREATE DOMAIN d AS varchar(20) CHECK (VALUE <> ''); CREATE TABLE t (id int PRIMARY KEY, a d);",
            "ALTER TABLE t ALTER a TYPE varchar(20);",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ALTER COLUMN b TYPE varchar(20);"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ALTER b TYPE int USING b::int;"]),
        postgres(&["ALTER TABLE made_elsewhere ALTER c TYPE bigint;"]),
        postgres(&["CREATE TABLE t (a varchar(20)[]);", "ALTER TABLE t ALTER a TYPE varchar(50)[];"]),
        postgres(&["CREATE TABLE t (a interval);", "ALTER TABLE t ALTER a TYPE interval year to month;"]),
        postgres(&["CREATE TABLE t (a bpchar);", "ALTER TABLE t ALTER a TYPE char;"]),
        postgres(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES p (id));",
            "ALTER TABLE t ALTER a TYPE bigint;",
        ]),
        postgres(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES p);",
            "ALTER TABLE p ALTER id TYPE bigint;",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a varchar(20));", "ALTER TABLE t ALTER a TYPE varchar(50);"]),
        postgres(&["CREATE TABLE t (a varchar(20));", "ALTER TABLE t ALTER a TYPE text USING (a);"]),
        postgres(&["CREATE TABLE t (a interval);", "ALTER TABLE t ALTER a TYPE interval(6);"]),
        postgres(&["CREATE TABLE t (a oid);", "ALTER TABLE t ALTER a TYPE int;"]),
        postgres(&["CREATE TABLE t (a real);", "ALTER TABLE t ALTER a TYPE float(10);"]),
        postgres(&["CREATE TABLE t (a bit(4));", "ALTER TABLE t ALTER a TYPE varbit;"]),
        postgres(&["CREATE TABLE t (a varchar(20));", "ALTER TABLE t ALTER a TYPE bpchar;"]),
        postgres(&["CREATE TABLE t (a xml);", "ALTER TABLE t ALTER a TYPE text;"]),
        postgres(&["CREATE DOMAIN d AS text CHECK (VALUE <> ''); CREATE TABLE t (a d);", "ALTER TABLE t ALTER a TYPE text;"]),
        postgres(&["CREATE DOMAIN d AS text; CREATE TABLE t (a varchar(9));", "ALTER TABLE t ALTER a TYPE d;"]),
        postgres(&["CREATE TABLE t (a varchar(20));", "ALTER TABLE t ALTER a TYPE text;"]),
        postgres(&["CREATE TABLE t (a varchar(20));", "ALTER TABLE t ALTER a TYPE text USING a::text;"]),
        postgres(&["CREATE TABLE t (a numeric(10, 2));", "ALTER TABLE t ALTER a TYPE numeric(12, 2);"]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ALTER a TYPE bigint;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let known = context.findings_for(
        |cause| *cause == Cause::TypeRewrite,
        |impact| format!("changing the column type rewrites `{}` and blocks reads and writes", impact.table),
    );
    let unknown = context.findings_for(
        |cause| *cause == Cause::TypeUnknown,
        |impact| format!("changing the column type may rewrite `{}` and block reads and writes", impact.table),
    );
    findings.all.extend(known);
    let note = "the current type of the column is unknown: no migration creates the column";
    findings.all.extend(unknown.into_iter().map(|finding| finding.at_most(Level::Warning).note(note)));
    if context.impacts.iter().any(|impact| impact.rewrites && impact.cause != Cause::TypeUnknown) {
        findings.all.extend(context.findings_for(
            |cause| *cause == Cause::TypeForeignKey,
            |impact| {
                format!(
                    "a foreign key uses the column, so `{}` is also blocked for reads and writes during the rewrite",
                    impact.table
                )
            },
        ));
    }
}
