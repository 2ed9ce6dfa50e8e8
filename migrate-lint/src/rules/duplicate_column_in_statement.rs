//! The rule `duplicate-column-in-statement`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};
use std::collections::BTreeSet;

/// Flags a column that appears twice in a new table or view, or in a list of assigned columns.
pub static RULE: Rule = Rule {
    code: Code::new(
        "duplicate-column-in-statement",
        "The statement names the same column twice, and the database rejects it. The rule checks the columns of a \
         new table or view, the column list of an `INSERT`, the clauses of an `ALTER TABLE`, and the columns of a \
         key. On PostgreSQL, it also checks the assignments of an `UPDATE`, of `ON CONFLICT` and of `MERGE`. If a \
         table or view is created from a query, the rule checks the columns of the query. The database derives the \
         name of a query column without an alias from the expression: for example from the source column, the \
         function, or the type to which a constant is cast. The following duplicates are not flagged, because the \
         database accepts them. In an `UPDATE` on MySQL, MariaDB and SQLite, and in an `INSERT` on SQLite, the \
         database uses one of the two values and discards the other without a warning. For a view, or a table that \
         is created from a query, SQLite renames the second column.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "remove one of the two occurrences, or rename one of the two columns",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int, a int);"]),
        postgres(&["CREATE TABLE t (a int);", "INSERT INTO t (a, a) VALUES (1, 2);"]),
        postgres(&["CREATE TABLE t (a int, b int);", "UPDATE t SET a = 1, b = 2, a = 3 WHERE b = 1;"]),
        mysql(&["CREATE TABLE t (a int);", "INSERT INTO t (a, a) VALUES (1, 2);"]),
        sqlite(&["CREATE TABLE t (a int, A int);"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE VIEW v AS SELECT a, 1 AS a FROM t;"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE n AS SELECT t.a, a FROM t;"]),
        postgres(&["CREATE TABLE t (a int, b int);", "CREATE VIEW v AS SELECT a IS NULL, b IS NULL FROM t;"]),
        postgres(&["CREATE TABLE t (a int, b int);", "CREATE VIEW v AS SELECT a IN (1, 2), b BETWEEN 1 AND 2 FROM t;"]),
        postgres(&["CREATE TABLE t (a int, b int);", "CREATE VIEW v AS SELECT -a, NOT (b > 0) FROM t;"]),
        postgres(&["CREATE TABLE t (a int, b int);", "CREATE VIEW v AS SELECT a > 0 AND b IS NULL, NOT a > 1 FROM t;"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE n AS SELECT NULL, NULL;"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE n AS SELECT true, false;"]),
        postgres(&[
            "CREATE TABLE t (a timestamp);",
            "CREATE VIEW v AS SELECT a AT TIME ZONE 'UTC', a AT TIME ZONE 'Europe/Paris' FROM t;",
        ]),
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE n AS SELECT interval '1 day', '2 day'::interval;"]),
        mysql(&["CREATE TABLE t (a int);", "CREATE VIEW v AS SELECT a, 1 AS A FROM t;"]),
        mysql(&["CREATE TABLE t (a int);", "CREATE TABLE n SELECT a, 1 AS a FROM t;"]),
        postgres(&[
            "CREATE TABLE t (a int PRIMARY KEY, b int);",
            "INSERT INTO t VALUES (1, 2) ON CONFLICT (a) DO UPDATE SET b = 1, b = 2;",
        ]),
        postgres(&[
            "CREATE TABLE t (a int, b int); CREATE TABLE u (a int);",
            "MERGE INTO t USING u ON u.a = t.a WHEN MATCHED THEN UPDATE SET b = 1, b = 2;",
        ]),
        postgres(&[
            "CREATE TABLE t (a int, b int); CREATE TABLE u (a int);",
            "MERGE INTO t USING u ON u.a = t.a WHEN NOT MATCHED THEN INSERT (a, a) VALUES (1, 2);",
        ]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int, ADD COLUMN b int;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int, ADD COLUMN B int;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t CHANGE a b int, ADD COLUMN b int;"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE VIEW v AS SELECT count(*), count(*) FROM t;"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE n AS SELECT a::text, CASE WHEN a > 1 THEN 1 ELSE a END FROM t;"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE MATERIALIZED VIEW v AS SELECT a + 1, a + 2 FROM t;"]),
        postgres(&["CREATE TABLE t (a int);", "SELECT max(a), max(a) INTO n FROM t;"]),
        mysql(&["CREATE TABLE t (a int);", "CREATE TABLE n SELECT max(a), MAX(a) FROM t;"]),
        postgres(&["CREATE TABLE t (a int, UNIQUE (a, a));"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD PRIMARY KEY (a, A);"]),
        mysql(&["CREATE TABLE t (a int);", "CREATE INDEX i ON t (a, a);"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN b int, ADD COLUMN IF NOT EXISTS b int;"]),
        postgres(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a, a);"]),
        postgres(&[
            "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a IS NULL x, b IS NULL y, a > 0 z, NOT b > 1 w FROM t;",
        ]),
        postgres(&["CREATE TABLE t (a timestamp); CREATE VIEW v AS SELECT a AT TIME ZONE 'UTC' x, a AT TIME ZONE 'UTC' FROM t;"]),
        postgres(&["CREATE TABLE t (a int); CREATE VIEW v AS SELECT NULL a, NULL::int b, true c, interval '1 day' d FROM t;"]),
        mysql(&["CREATE TABLE t (a int); CREATE VIEW v AS SELECT count(*), count(*) FROM t;"]),
        postgres(&["CREATE TABLE t (a int); CREATE VIEW v AS SELECT a + 1, a, -a AS b, abs(a) FROM t;"]),
        postgres(&["CREATE TABLE t (a int, b int); INSERT INTO t (a, b) VALUES (1, 2);"]),
        postgres(&["CREATE TABLE t (a int, \"A\" int);"]),
        postgres(&[
            "CREATE TABLE t (a int, b int); CREATE TABLE u (a int, b int); INSERT INTO t (SELECT a, b FROM u ORDER BY a, b);",
        ]),
        postgres(&[
            "CREATE TYPE c AS (x int, y int); CREATE TABLE t (a c, b int[]); UPDATE t SET a.x = 1, a.y = 2, b[1] = 1, b[2] = 2;",
        ]),
        postgres(&["CREATE TABLE t (a int); CREATE VIEW v (x, y) AS SELECT a, a FROM t;"]),
        postgres(&["CREATE TABLE t (a int); CREATE TABLE n (x, y) AS SELECT a, a FROM t;"]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let dialect = context.schema.dialect();
    let is_postgres = dialect == Dialect::Postgres;
    let added = added_columns(context);
    let names: Vec<String> = match context.syntax() {
        Syntax::CreateTable(table) => table.columns.iter().map(|column| column.name.clone()).collect(),
        _ => Vec::new(),
    };
    let mut lists: Vec<&[String]> = match context.syntax() {
        // With a query, the names before it replace those of the query.
        Syntax::CreateTable(table) if names.is_empty() && dialect != Dialect::Sqlite => vec![&table.output],
        Syntax::CreateTable(_) => vec![&names],
        Syntax::AlterTable(_) => vec![&added],
        Syntax::CreateView(view) if dialect != Dialect::Sqlite => vec![&view.output],
        Syntax::Insert(insert) if is_postgres => {
            [&insert.columns].into_iter().chain(&insert.assigned).map(Vec::as_slice).collect()
        }
        Syntax::Insert(insert) if dialect == Dialect::MySql => vec![&insert.columns],
        Syntax::Update(change) if is_postgres => vec![&change.columns],
        Syntax::CreateIndex(index) if dialect == Dialect::MySql => vec![&index.columns],
        _ => Vec::new(),
    };
    lists.extend(context.new_keys());
    report(&lists, is_postgres, findings);
}

/// The columns that the clauses of an `ALTER TABLE` add, or give a new name, unless the column of this name is also removed.
fn added_columns(context: &StatementContext<'_>) -> Vec<String> {
    let mut added: Vec<String> = Vec::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    let removed = context.actions().filter_map(|(_, action, _)| match action {
        ActionKind::DropColumn { name, .. }
        | ActionKind::RenameColumn { from: name, .. }
        | ActionKind::ChangeColumn { from: name, .. } => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    let removed: BTreeSet<String> = removed.collect();
    for (_, action, _) in context.actions() {
        let (name, is_optional) = match action {
            ActionKind::AddColumn { column, if_not_exists } => (&column.name, *if_not_exists),
            ActionKind::RenameColumn { to, .. } => (to, false),
            ActionKind::ChangeColumn { from, column } if !from.eq_ignore_ascii_case(&column.name) => (&column.name, false),
            _ => continue,
        };
        // `IF NOT EXISTS` skips a column that an earlier clause adds.
        let key = name.to_ascii_lowercase();
        let is_skipped = is_optional && names.contains(&key);
        if !is_skipped && !removed.contains(&key) {
            names.insert(key);
            added.push(name.clone());
        }
    }
    added
}

/// Reports the first column that a list contains twice.
fn report(lists: &[&[String]], case_sensitive: bool, findings: &mut RuleFindings) {
    let repeated = lists.iter().find_map(|list| {
        let mut earlier = BTreeSet::new();
        list.iter().find(|name| !earlier.insert(if case_sensitive { (*name).clone() } else { name.to_ascii_lowercase() }))
    });
    if let Some(name) = repeated {
        findings.add(RuleFinding::new(format!("column `{name}` appears twice")));
    }
}
