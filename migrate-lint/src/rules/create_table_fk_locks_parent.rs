//! The rule `create-table-fk-locks-parent`.

use crate::impact::Cause;
use crate::report::Reports;
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "create-table-fk-locks-parent",
        "`CREATE TABLE ... REFERENCES parent` takes SHARE ROW EXCLUSIVE on the parent until the end of the \
         transaction: writes to it wait, and if a long transaction has written to it, this waits first, with all \
         later writers behind it. It is over in a moment as long as nothing else happens in the transaction; this \
         tool waits with a short time limit and tries again.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    instead: "",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
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
    silent: &[
        postgres(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id));"]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY);", "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t (id));"]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::ParentOfNew),
        |impact| format!("a new table that refers to `{}` stops writes to it for a moment", impact.table),
    );
    reports.all.extend(found);
}
