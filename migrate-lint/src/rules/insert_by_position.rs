//! The rule `insert-by-position`.

use crate::context::StatementContext;
use crate::relation::Relation;
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "insert-by-position",
        "`INSERT INTO new SELECT * FROM old` puts the first column into the first, whatever they are called. Where the two \
         tables have other numbers of columns it fails; where they have the same columns in another order, each value \
         lands in the wrong one, often without an error.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "name the columns on both sides: `INSERT INTO new (a, b) SELECT a, b FROM old`",
    opt_in: false,
    down: true,
    check: Check::Statement(check),
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
        // What stands behind is left out there.
        postgres(&["CREATE TABLE t (id int, a int); CREATE TABLE n (id int, a int, b int);", "INSERT INTO n SELECT * FROM t;"]),
        mysql(&["CREATE TABLE t (id int, a int); CREATE TABLE n LIKE t;", "INSERT INTO n SELECT * FROM t;"]),
        mysql(&[
            "CREATE TABLE t (id int, a int); ALTER TABLE t ADD z int AFTER id; CREATE TABLE n (id int, z int, a int);",
            "INSERT INTO n SELECT * FROM t;",
        ]),
    ],
    verification: Verification::Seen("columns_are_matched_by_their_places"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Insert(insert) = context.syntax() else { return };
    let Some(source) = &insert.all_of else { return };
    let known = |relation: &&Relation| relation.columns_known && relation.columns.iter().all(|column| !column.generated);
    // Where MySQL has put a column that was added later is not kept.
    let in_order = |relation: &&Relation| {
        context.server().dialect() != Dialect::MySql || relation.columns.iter().all(|column| column.created.is_none())
    };
    let table = |key| context.relation(key).filter(known).filter(in_order);
    let (to, from) = (context.schema.resolve(&insert.table), context.schema.resolve(source));
    let (Some(new), Some(old)) = (table(&to), table(&from)) else { return };
    let (places, values) = (new.columns.len(), old.columns.len());
    // PostgreSQL leaves out what stands behind.
    let fits = places == values || places > values && context.server().dialect() == Dialect::Postgres;
    if !fits {
        findings.add(RuleFinding::new(format!("`{to}` has {places} columns, and `{from}` has {values}")));
        return;
    }
    let mut pairs = old.columns.iter().zip(&new.columns);
    // A column that exists on both sides and stands elsewhere; another name may be the same under a new one.
    let moved = pairs.find(|(value, place)| {
        !new.same(&value.name, &place.name) && new.column(&value.name).is_some() && old.column(&place.name).is_some()
    });
    if let Some((value, place)) = moved {
        findings.add(RuleFinding::new(format!("`{from}.{}` goes into `{to}.{}`", value.name, place.name)));
    }
}
