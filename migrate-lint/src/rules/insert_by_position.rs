//! The rule `insert-by-position`.

use crate::context::StatementContext;
use crate::relation::Relation;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags `INSERT INTO a SELECT * FROM b` if the columns of the two tables differ in number or order.
pub static RULE: Rule = Rule {
    code: Code::new(
        "insert-by-position",
        "`INSERT INTO new SELECT * FROM old` assigns columns by position, not by name. If `old` has more columns \
         than `new`, the statement fails. If `old` has fewer, it fails on MySQL, MariaDB and SQLite; PostgreSQL \
         fills the remaining columns with their defaults. If the columns are in a different order, values are stored \
         in the wrong columns, often without an error. The rule flags the statement if the server would reject it \
         because of the number of columns, or if columns with the same name are at different positions.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "name the columns of both tables: `INSERT INTO new (a, b) SELECT a, b FROM old`",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        sqlite(&[
            "CREATE TABLE t (id integer PRIMARY KEY, a text, b text);",
            "CREATE TABLE n (id integer PRIMARY KEY, b text, a text); INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
        ]),
        sqlite(&[
            "CREATE TABLE t (id integer PRIMARY KEY, a text);",
            "CREATE TABLE n (id integer PRIMARY KEY, a text, b text); INSERT INTO n SELECT * FROM t;",
        ]),
        postgres(&[
            "CREATE TABLE t (id int, a int, b int); CREATE TABLE n (id int, b int, a int);",
            "INSERT INTO n SELECT * FROM t;",
        ]),
        mysql(&["CREATE TABLE t (id int, a int); CREATE TABLE n (id int);", "INSERT INTO n SELECT * FROM t;"]),
    ],
    not_flagged: &[
        sqlite(&[
            "CREATE TABLE t (id integer PRIMARY KEY, a text);",
            "CREATE TABLE n (id integer PRIMARY KEY, b text); INSERT INTO n SELECT * FROM t;",
        ]),
        sqlite(&[
            "CREATE TABLE t (id integer PRIMARY KEY, a text);",
            "CREATE TABLE n (id integer PRIMARY KEY, a text, b text); INSERT INTO n (id, a) SELECT id, a FROM t;",
        ]),
        // PostgreSQL fills the remaining columns with their defaults.
        postgres(&["CREATE TABLE t (id int, a int); CREATE TABLE n (id int, a int, b int);", "INSERT INTO n SELECT * FROM t;"]),
        mysql(&["CREATE TABLE t (id int, a int); CREATE TABLE n LIKE t;", "INSERT INTO n SELECT * FROM t;"]),
        mysql(&[
            "CREATE TABLE t (id int, a int); ALTER TABLE t ADD z int AFTER id; CREATE TABLE n (id int, z int, a int);",
            "INSERT INTO n SELECT * FROM t;",
        ]),
    ],
    verification: Verification::Seen("columns_are_matched_by_position"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Insert(insert) = context.syntax() else { return };
    let Some(source) = &insert.all_of else { return };
    let is_known = |relation: &&Relation| relation.columns_known && relation.columns.iter().all(|column| !column.generated);
    // On MySQL, the position of a column that was added later is unknown: `FIRST` and `AFTER` are not recorded.
    let is_in_order = |relation: &&Relation| {
        context.server().dialect() != Dialect::MySql || relation.columns.iter().all(|column| column.created.is_none())
    };
    let table = |key| context.relation(key).filter(is_known).filter(is_in_order);
    let (to, from) = (context.schema.resolve(&insert.table), context.schema.resolve(source));
    let (Some(new), Some(old)) = (table(&to), table(&from)) else { return };
    let (columns, values) = (new.columns.len(), old.columns.len());
    // PostgreSQL fills the remaining columns with their defaults.
    let is_accepted = columns == values || columns > values && context.server().dialect() == Dialect::Postgres;
    if !is_accepted {
        let message = format!("the numbers of columns differ: {columns} in `{to}`, {values} in `{from}`");
        findings.add(RuleFinding::new(message));
        return;
    }
    let mut pairs = old.columns.iter().zip(&new.columns);
    // If both names exist in both tables, the column was not merely renamed.
    let moved = pairs.find(|(value, column)| {
        !new.same(&value.name, &column.name) && new.column(&value.name).is_some() && old.column(&column.name).is_some()
    });
    if let Some((value, column)) = moved {
        let message = format!("values of `{from}.{}` are inserted into `{to}.{}`", value.name, column.name);
        findings.add(RuleFinding::new(message));
    }
}
