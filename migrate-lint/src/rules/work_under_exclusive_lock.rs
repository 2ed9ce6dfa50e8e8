//! The rule `work-under-exclusive-lock`.

use crate::context::StatementContext;
use crate::impact::{Cause, Lock};
use crate::object_name::ObjectName;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "work-under-exclusive-lock",
        "A lock is held to the end of its transaction. Behind a statement that took ACCESS EXCLUSIVE on a table in \
         use, another one that reads, writes or builds something large makes all users of the first table wait for \
         it.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "divide the file: what is slow into a migration of its own, what locks behind it",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int); ALTER TABLE u ADD CONSTRAINT k CHECK (id > 0) NOT VALID;",
            "ALTER TABLE t ADD COLUMN c int;\nALTER TABLE u VALIDATE CONSTRAINT k;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE MATERIALIZED VIEW m AS SELECT 1 AS x;",
            "ALTER TABLE t ADD COLUMN c int;\nREFRESH MATERIALIZED VIEW m;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); ALTER TABLE t ADD CONSTRAINT k CHECK (id > 0) NOT VALID;",
            "ALTER TABLE t ADD COLUMN c int;\nALTER TABLE t VALIDATE CONSTRAINT k;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int);",
            "ALTER TABLE t ADD COLUMN c int;\nCREATE TABLE n (id bigint);\nINSERT INTO n SELECT id FROM t;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN c int; ALTER TABLE t ADD COLUMN d int;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int);",
            "ALTER TABLE u ADD CONSTRAINT k CHECK (id > 0);\nALTER TABLE t ADD COLUMN c int;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int);",
            "-- migrate: no-transaction\nALTER TABLE t ADD COLUMN c int;\nALTER TABLE u ADD CONSTRAINT k CHECK (id > 0);",
        ]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Some((work, own, note)) = work(context) else { return };
    // That its own table is locked is said where it is said what is done to it.
    let mut held = context.held_locks.iter().filter(|held| {
        held.lock == Lock::AccessExclusive && own.as_ref() != Some(&held.table) && held.since != context.parsed.statement
    });
    // Whoever locks a table by its name means to do something meanwhile.
    if let Some(held) = held.find(|held| context.is_deployed(&held.table) && held.cause != Cause::LockTable) {
        let since = context.file.script.statements[held.since].line;
        let finding = RuleFinding::new(format!("`{}`, locked since line {since}, stays locked {work}", held.table));
        findings.add(match note {
            Some(note) => finding.note(note),
            None => finding,
        });
    }
}

/// What takes long and stops nobody by itself: in words, the table whose own lock does not count, and what else is known.
fn work(context: &StatementContext<'_>) -> Option<(String, Option<ObjectName>, Option<String>)> {
    // What stops others by itself is told of where it is, and goes elsewhere by that.
    let slow = |cause: &Cause| matches!(cause, Cause::Validate | Cause::Refresh | Cause::RefreshConcurrent | Cause::AttachScan);
    let long =
        context.impacts.iter().find(|impact| impact.is_long() && slow(&impact.cause) && context.is_deployed(&impact.table));
    if let Some(long) = long {
        // A constraint that was added right before is told of by `validate-same-tx`.
        let own = (long.cause != Cause::Validate || adds_constraint(context, &long.table)).then(|| long.table.clone());
        return Some((long.work().to_owned(), own, Some(context.describe_lock(long))));
    }
    let words = match context.syntax() {
        Syntax::CreateTable(table) if table.as_query && !table.temporary => "while a table is filled from a query",
        Syntax::CreateView(view) if view.materialized => "while a materialized view is filled",
        Syntax::Insert(insert) if insert.reads_table && !context.is_deployed(&context.schema.resolve(&insert.table)) => {
            "while another table is read"
        }
        Syntax::Query if context.sql.to_ascii_lowercase().contains("pg_sleep") => "while the session sleeps",
        _ => return None,
    };
    Some((words.to_owned(), None, None))
}

/// Was a constraint added to the table before, in this transaction?
fn adds_constraint(context: &StatementContext<'_>, table: &ObjectName) -> bool {
    context.earlier_statements().iter().filter(|read| read.point.transaction == context.parsed.point.transaction).any(|read| {
        match &read.syntax {
            Syntax::AlterTable(alter) if context.schema.resolve(&alter.table) == *table => {
                alter.actions.iter().any(|action| matches!(action.kind, ActionKind::AddConstraint(_)))
            }
            _ => false,
        }
    })
}
