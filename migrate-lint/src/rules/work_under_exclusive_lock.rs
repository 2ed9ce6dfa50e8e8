//! The rule `work-under-exclusive-lock`.

use crate::context::{ParsedStatement, StatementContext};
use crate::impact::{Cause, Lock};
use crate::object_name::ObjectName;
use crate::relation::Index;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::name::Name;
use migrate_model::reader::{filtered_reads, tables_scanned, tables_scanned_in_block};
use migrate_model::syntax::{ActionKind, Syntax};
use std::ops::Range;

/// Flags slow statements in a transaction that already holds ACCESS EXCLUSIVE on an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "work-under-exclusive-lock",
        "A slow statement runs in a transaction that already holds an ACCESS EXCLUSIVE lock on an existing table. \
         PostgreSQL releases the lock only when the transaction ends, so the lock is also held while the slow \
         statement runs. Reads and writes of the locked table are blocked during this time, even if the slow \
         statement uses another table.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "split the file into two migrations: run the slow statement in the first one, and the statement that \
         acquires the lock in the second one; if the slow statement depends on the other statement, exchange the \
         order",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int);",
            "ALTER TABLE t ADD COLUMN c int;\nSELECT count(*) FROM u WHERE id > 5;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int);",
            "ALTER TABLE t ADD COLUMN c int;\nTABLE u;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int);",
            "ALTER TABLE t ADD COLUMN c int;\nWITH w AS (SELECT id FROM u) SELECT count(*) FROM w;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int);",
            "ALTER TABLE t ADD COLUMN c int;\nEXPLAIN ANALYZE SELECT count(*) FROM u;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int);",
            "ALTER TABLE t ADD COLUMN c int;\nEXPLAIN (ANALYZE, BUFFERS) SELECT count(*) FROM u;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int);",
            "ALTER TABLE t ADD COLUMN c int;\nDO $$ BEGIN PERFORM count(*) FROM u; END $$;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int);",
            "ALTER TABLE t ADD COLUMN c int;\nDO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM u LOOP RAISE NOTICE '%', r; END LOOP; END $$;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int); CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN PERFORM count(*) FROM u; END';",
            "ALTER TABLE t ADD COLUMN c int;\nCALL p();",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int PRIMARY KEY, b text);",
            "ALTER TABLE t ADD COLUMN c int;\nSELECT EXISTS (SELECT 1 FROM u WHERE b = 'x');",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int PRIMARY KEY, b int);",
            "ALTER TABLE t ADD COLUMN c int;\nDO $$ BEGIN IF EXISTS (SELECT 1 FROM u WHERE b = 7) THEN RAISE EXCEPTION 'x'; END IF; END $$;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int PRIMARY KEY, b int); CREATE SEQUENCE s;",
            "ALTER TABLE t ADD COLUMN c int;\nSELECT setval('s', (SELECT max(b) FROM u));",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int PRIMARY KEY, b int);",
            "ALTER TABLE t ADD COLUMN c int;\nCREATE TEMP TABLE x AS SELECT count(*) FROM u;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int);",
            "ALTER TABLE t ADD COLUMN c int;\nEXPLAIN SELECT count(*) FROM u;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int);",
            "ALTER TABLE t ADD COLUMN c int;\nEXPLAIN (ANALYZE false) SELECT count(*) FROM u;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int PRIMARY KEY);",
            "ALTER TABLE t ADD COLUMN c int;\nDO $$ BEGIN PERFORM id FROM u WHERE id = 1; END $$;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int);",
            "ALTER TABLE t ADD COLUMN c int;\nDO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'm') THEN CREATE TYPE m AS ENUM ('a'); END IF; END $$;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int);",
            "ALTER TABLE t ADD COLUMN c int;\nTABLE u LIMIT 1;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int PRIMARY KEY, b int); CREATE INDEX i ON u (b); CREATE SEQUENCE s;",
            "ALTER TABLE t ADD COLUMN c int;\nSELECT id FROM u WHERE b = 3; SELECT setval('s', (SELECT max(id) FROM u));",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id int PRIMARY KEY);",
            "ALTER TABLE t ADD COLUMN c int;\nSELECT id FROM u WHERE id = 5;\nSELECT 1 FROM pg_class;",
        ]),
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
    let Some((work, scanned_table, note)) = slow_work(context) else { return };
    // The rule that reports the slow statement describes the lock on its own table.
    let mut held = context
        .held_locks
        .of_kind(Lock::AccessExclusive)
        .filter(|held| scanned_table.as_ref() != Some(&held.table) && held.since != context.parsed.statement);
    // `LOCK TABLE` is written in order to hold the lock during the following statements.
    if let Some(held) = held.find(|held| context.is_deployed(&held.table) && held.cause != Cause::LockTable) {
        let since = context.file.script.statements[held.since].line;
        let finding =
            RuleFinding::new(format!("`{}`, locked with ACCESS EXCLUSIVE since line {since}, stays locked {work}", held.table));
        findings.add(match note {
            Some(note) => finding.note(note),
            None => finding,
        });
    }
}

/// The slow work of the statement: a description, the table whose lock does not count, and a note about the lock it takes itself.
fn slow_work(context: &StatementContext<'_>) -> Option<(String, Option<ObjectName>, Option<String>)> {
    // Other rules report statements that take a blocking lock themselves. Their fix also moves the statement elsewhere.
    let is_slow =
        |cause: &Cause| matches!(cause, Cause::Validate | Cause::Refresh | Cause::RefreshConcurrent | Cause::AttachScan);
    let mut impacts = context.impacts.iter().filter(|impact| impact.is_long() && is_slow(&impact.cause));
    if let Some(impact) = impacts.find(|impact| context.is_deployed(&impact.table)) {
        // `validate-same-tx` reports a constraint that is validated in the transaction that adds it.
        let excluded = impact.cause != Cause::Validate || adds_constraint(context, &impact.table);
        let table = excluded.then(|| impact.table.clone());
        return Some((impact.work().to_owned(), table, Some(context.describe_lock(impact))));
    }
    let description = match context.syntax() {
        Syntax::CreateTable(table) if table.as_query && (!table.temporary || reads_existing_table(context)) => {
            "while a table is filled from a query"
        }
        Syntax::CreateView(view) if view.materialized => "while a materialized view is filled",
        Syntax::Insert(insert) if insert.reads_table && !context.is_deployed(&context.schema.resolve(&insert.table)) => {
            "while another table is read"
        }
        Syntax::Query if context.sql.to_ascii_lowercase().contains("pg_sleep") => "while the session sleeps",
        Syntax::Query | Syntax::Copy { table: None, .. }
            if reads_existing_table(context) || filters_without_index(context, None) =>
        {
            "while a query reads a whole table"
        }
        Syntax::Copy { table: Some(table), from: false } if is_large(context, table) => "while a table is copied",
        Syntax::Copy { table: Some(_), from: true } if loads_many_rows(context) => "while rows are copied into a table",
        Syntax::Do { .. } if context.parsed.in_block => return None,
        Syntax::Do { .. } if context.sql.to_ascii_lowercase().contains("pg_sleep") => "while the session sleeps",
        Syntax::Do { body }
            if tables_scanned_in_block(context.sql, body, Dialect::Postgres).iter().any(|table| is_large(context, table))
                || filters_without_index(context, Some(body)) =>
        {
            "while a block reads a whole table"
        }
        Syntax::Call { name: Some(_) } => "while a procedure runs",
        _ => return None,
    };
    Some((description.to_owned(), None, None))
}

/// Whether a query reads all rows of an existing table. `setval` usually reads only the end of an index.
fn reads_existing_table(context: &StatementContext<'_>) -> bool {
    if context.parsed.in_block || context.sql.to_ascii_lowercase().contains("setval") {
        return false;
    }
    tables_scanned(context.sql, Dialect::Postgres).iter().any(|name| is_large(context, name))
}

/// Does a query with a condition mention no column of an index of the table that it reads, so that it reads all rows?
fn filters_without_index(context: &StatementContext<'_>, body: Option<&Range<usize>>) -> bool {
    if context.parsed.in_block {
        return false;
    }
    filtered_reads(context.sql, body, Dialect::Postgres).iter().any(|read| {
        let is_mentioned = |column: &String| read.words.iter().any(|word| word.eq_ignore_ascii_case(column));
        read.tables.iter().filter(|table| is_large(context, table)).any(|table| {
            let relation = context.relation(&context.schema.resolve(table));
            relation.is_some_and(|relation| {
                let is_table = relation.columns_known && !relation.certainty.is_uncertain();
                let by_key = relation.indexed().flatten().any(is_mentioned);
                let by_index =
                    |index: &Index| index.columns.iter().chain(&index.mentions).any(is_mentioned) || index.partial_or_expression;
                is_table && !by_key && !relation.indexes.iter().any(by_index)
            })
        })
    })
}

/// May an existing table have many rows? Those of the system have few.
fn is_large(context: &StatementContext<'_>, name: &Name) -> bool {
    let is_system = matches!(name.schema.as_deref(), Some("pg_catalog" | "information_schema")) || name.name.starts_with("pg_");
    let table = context.schema.resolve(name);
    !is_system && context.is_deployed(&table) && !context.is_emptied(&table)
}

/// Does a `COPY` load a file, or a long part of the migration file?
fn loads_many_rows(context: &StatementContext<'_>) -> bool {
    const LONG: usize = 64 * 1024;
    let data = &context.file.script.statements[context.parsed.statement].copy_data;
    data.as_ref().is_none_or(|data| data.len() > LONG)
}

/// Whether an earlier statement of this transaction adds a constraint to the table.
fn adds_constraint(context: &StatementContext<'_>, table: &ObjectName) -> bool {
    let in_transaction = |statement: &&ParsedStatement| statement.point.transaction == context.parsed.point.transaction;
    context.earlier_statements_with(&["ADD", table.name()]).filter(in_transaction).any(|statement| match &statement.syntax {
        Syntax::AlterTable(alter) if context.schema.resolve(&alter.table) == *table => {
            alter.actions.iter().any(|action| matches!(action.kind, ActionKind::AddConstraint(_)))
        }
        _ => false,
    })
}
