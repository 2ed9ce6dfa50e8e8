//! The rule `fk-two-tables-one-tx`.

use crate::context::StatementContext;
use crate::impact::{Cause, Impact};
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags transactions that add foreign keys referencing several existing tables.
pub static RULE: Rule = Rule {
    code: Code::new(
        "fk-two-tables-one-tx",
        "A transaction that adds foreign keys referencing several existing tables holds a SHARE ROW EXCLUSIVE lock \
         on each of these tables until the transaction ends, which blocks writes to all of them. The transaction \
         acquires the locks in the order of the statements in the file. If another transaction, of a migration or of \
         the application, writes to these tables in a different order, a deadlock is possible.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "in each migration, add at most one foreign key that references an existing table",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
    let is_foreign_key = |cause: &Cause| matches!(cause, Cause::ForeignKey | Cause::ForeignKeyNotValid | Cause::ParentOfNew);
    let altered = context.alter().map(|alter| context.schema.resolve(&alter.table));
    let locks_existing_parent = |impact: &&Impact| {
        is_foreign_key(&impact.cause) && Some(&impact.table) != altered.as_ref() && context.is_deployed(&impact.table)
    };
    let parents = context.impacts.iter().filter(locks_existing_parent);
    let mut same_statement = parents.clone();
    if let Some(first) = same_statement.next()
        && !context.held_locks.held().iter().any(|held| is_foreign_key(&held.cause))
        && let Some(second) = same_statement.find(|impact| impact.table != first.table)
        && context.alter().is_some()
    {
        let message = format!("`{}` and `{}` are locked at the same time, each for a foreign key", first.table, second.table);
        findings.add(RuleFinding::new(message).note(context.describe_lock(second)));
        return;
    }
    for impact in parents {
        let mut held_on_others = context.held_locks.of_kind(impact.lock).filter(|held| {
            let is_other = held.table != impact.table && Some(&held.table) != altered.as_ref();
            is_other && is_foreign_key(&held.cause) && context.is_deployed(&held.table)
        });
        // Only the second table of a file is reported, not each further one.
        if let Some(first) = held_on_others.next()
            && held_on_others.all(|held| held.table == first.table)
        {
            let message =
                format!("`{}` is locked for a foreign key while `{}` is still locked for another", impact.table, first.table);
            findings.add(RuleFinding::new(message).note(context.describe_lock(impact)));
        }
    }
}
