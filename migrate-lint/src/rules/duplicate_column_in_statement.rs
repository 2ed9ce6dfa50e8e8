//! The rule `duplicate-column-in-statement`.

use crate::context::StatementContext;
use crate::relation::is_same;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags a column that appears twice in a new table or view, or in a list of assigned columns.
pub static RULE: Rule = Rule {
    code: Code::new(
        "duplicate-column-in-statement",
        "The statement contains a column twice, and the database rejects it: in a new table or view, also one from a query, \
         in an `INSERT`, in `SET` of an `UPDATE`, an `ON CONFLICT` or a `MERGE`. The rule does not check three cases \
         that the database accepts. An `UPDATE` on MySQL and SQLite, and an `INSERT` on SQLite, use one of the two values and \
         discard the other without a warning; SQLite renames the second column of a view.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "remove one of the two occurrences",
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
    ],
    not_flagged: &[
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
    let lists: Vec<&[String]> = match context.syntax() {
        Syntax::CreateTable(table) => {
            // With a query, the names before it replace those of the query.
            let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
            return report(
                &[if names.is_empty() && dialect != Dialect::Sqlite { &table.output } else { &names }],
                is_postgres,
                findings,
            );
        }
        Syntax::CreateView(view) if dialect != Dialect::Sqlite => vec![&view.output],
        Syntax::Insert(insert) if is_postgres => {
            [&insert.columns].into_iter().chain(&insert.assigned).map(Vec::as_slice).collect()
        }
        Syntax::Insert(insert) if dialect == Dialect::MySql => vec![&insert.columns],
        Syntax::Update(change) if is_postgres => vec![&change.columns],
        _ => return,
    };
    report(&lists, is_postgres, findings);
}

/// Reports the first column that a list contains twice.
fn report(lists: &[&[String]], case_sensitive: bool, findings: &mut RuleFindings) {
    let repeated = lists.iter().find_map(|list| {
        let mut numbered = list.iter().enumerate();
        numbered.find(|(at, name)| list[..*at].iter().any(|earlier| is_same(case_sensitive, earlier, name)))
    });
    if let Some((_, name)) = repeated {
        findings.add(RuleFinding::new(format!("column `{name}` appears twice")));
    }
}
