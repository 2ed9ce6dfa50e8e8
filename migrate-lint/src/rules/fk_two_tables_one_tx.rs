//! The rule `fk-two-tables-one-tx`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "fk-two-tables-one-tx",
        "Foreign keys to several tables that are in use, added in one transaction, hold a SHARE ROW EXCLUSIVE lock on \
         each of them at once, taken in the order of the file. Two such transactions, or one and an application that \
         writes in another order, can wait for each other; and all those tables stand still until the last statement \
         is done.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "write one foreign key to a table in use in each migration",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE v (id int PRIMARY KEY); CREATE TABLE t (a int, b int);",
            "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id) NOT VALID, ADD CONSTRAINT g FOREIGN KEY (b) REFERENCES v (id) NOT VALID;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE v (id int PRIMARY KEY);",
            "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (id) NOT VALID; ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES v (id) NOT VALID;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE v (id int PRIMARY KEY);",
            "CREATE TABLE w (u int REFERENCES u (id)); ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES v (id) NOT VALID;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int PRIMARY KEY);",
            "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (id) NOT VALID;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int PRIMARY KEY);",
            "CREATE TABLE w (a int REFERENCES u (id), b int REFERENCES u (id));",
        ]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let is_key = |cause: &Cause| matches!(cause, Cause::ForeignKey | Cause::ForeignKeyNotValid | Cause::ParentOfNew);
    let own = context.alter().map(|alter| context.schema.resolve(&alter.table));
    let adds = context.impacts.iter().filter(|impact| is_key(&impact.cause) && Some(&impact.table) != own.as_ref());
    let mut here = adds.clone().filter(|impact| context.is_deployed(&impact.table));
    if let (Some(first), None) = (here.next(), context.held_locks.iter().find(|held| is_key(&held.cause)))
        && let Some(second) = here.find(|impact| impact.table != first.table)
        && context.alter().is_some()
    {
        let message = format!("`{}` and `{}` are locked at once, each for a foreign key", first.table, second.table);
        findings.add(RuleFinding::new(message).note(context.describe_lock(second)));
        return;
    }
    for impact in adds.filter(|impact| context.is_deployed(&impact.table)) {
        let others = context
            .held_locks
            .iter()
            .filter(|held| is_key(&held.cause) && held.lock == impact.lock && held.table != impact.table);
        let others: Vec<_> =
            others.filter(|held| context.is_deployed(&held.table) && Some(&held.table) != own.as_ref()).collect();
        // Once for each file is enough.
        if let Some(held) = others.first().filter(|first| others.iter().all(|other| other.table == first.table)) {
            let message =
                format!("`{}` is locked while `{}`, locked for a foreign key before, still is", impact.table, held.table);
            findings.add(RuleFinding::new(message).note(context.describe_lock(impact)));
        }
    }
}
