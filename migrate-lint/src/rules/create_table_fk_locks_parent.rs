//! The rule `create-table-fk-locks-parent`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a new table with a foreign key to an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "create-table-fk-locks-parent",
        "`CREATE TABLE ... REFERENCES` acquires a SHARE ROW EXCLUSIVE lock on the referenced table until the end of \
         the transaction, and this lock blocks writes to the referenced table. If a long-running transaction has \
         written to that table, the statement waits, and later writes queue behind the statement. The lock is brief \
         if the transaction contains no other statement. `cargo migrate` sets a short lock timeout for the statement \
         and retries it after a timeout.",
    ),
    level: Level::Note,
    on: &[Product::Postgres],
    fix: "",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE u (id int PRIMARY KEY);", "CREATE TABLE t (u_id int REFERENCES u (id));"]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY);",
            "CREATE TABLE t (a int);\nALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
        ]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY);",
            "CREATE TABLE t (a int);\nALTER TABLE t ADD COLUMN u_id int REFERENCES u (id);",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id));"]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY);", "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t (id));"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::ParentOfNew),
        |impact| format!("a new table that references `{}` briefly blocks writes to it", impact.table),
    ));
}
