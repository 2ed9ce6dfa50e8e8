//! The rule `drop-constraint`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::relation::{Constraint, ConstraintKind, Relation};
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{self, ActionKind, ObjectKind, Syntax};
use std::ops::Range;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-constraint",
        "The release that runs may count on a constraint: `ON CONFLICT (email)` fails without the unique index, rows that it \
         takes for impossible come in, and what `ON DELETE CASCADE` took away stays. Putting the constraint back later needs \
         the rows to be mended first.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "let the application do without it first; the next release drops it, in a migration of phase contract",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int UNIQUE);", "ALTER TABLE t DROP CONSTRAINT t_a_key;"]),
        postgres(&["CREATE TABLE t (a int CONSTRAINT c CHECK (a > 0));", "ALTER TABLE t DROP CONSTRAINT c;"]),
        postgres(&["CREATE TABLE t (a int); CREATE UNIQUE INDEX i ON t (a);", "DROP INDEX CONCURRENTLY i;"]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (a int CONSTRAINT f REFERENCES u (id));",
            "ALTER TABLE t DROP CONSTRAINT f;",
        ]),
        mysql(&["CREATE TABLE t (a int, UNIQUE KEY k (a));", "ALTER TABLE t DROP INDEX k;"]),
        sqlite(&["CREATE TABLE t (a int); CREATE UNIQUE INDEX i ON t (a);", "DROP INDEX i;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int UNIQUE); CREATE UNIQUE INDEX i ON t (a);", "ALTER TABLE t DROP CONSTRAINT t_a_key;"]),
        postgres(&["CREATE TABLE t (a int NOT NULL, CONSTRAINT nn CHECK (a IS NOT NULL));", "ALTER TABLE t DROP CONSTRAINT nn;"]),
        postgres(&[
            "CREATE TABLE t (a int CONSTRAINT c CHECK (a > 0));",
            "ALTER TABLE t DROP CONSTRAINT c, ADD CONSTRAINT c CHECK (a > 1) NOT VALID;",
        ]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (a int CONSTRAINT f REFERENCES u (id));",
            "ALTER TABLE t DROP CONSTRAINT f; ALTER TABLE t ADD CONSTRAINT g FOREIGN KEY (a) REFERENCES u (id) ON DELETE CASCADE NOT VALID;",
        ]),
        postgres(&["CREATE TABLE t (a int UNIQUE);", "-- migrate: phase contract\nALTER TABLE t DROP CONSTRAINT t_a_key;"]),
        postgres(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a);", "DROP INDEX CONCURRENTLY i;"]),
        postgres(&["CREATE TABLE t (a int UNIQUE); ALTER TABLE t DROP CONSTRAINT t_a_key;"]),
        mysql(&["CREATE TABLE t (a int, UNIQUE KEY k (a));", "ALTER TABLE t DROP INDEX k, ADD UNIQUE KEY l (a);"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.file.is_contract() {
        return;
    }
    for (table, name, range) in dropped(context) {
        let Some(relation) = context.relation(&table).filter(|_| context.is_deployed(&table)) else { continue };
        let Some(lost) = lost(relation, &name) else { continue };
        let message = match &lost {
            Lost::Unique(columns) if !has_another(relation, &name, columns) && !comes_again(context, &table, &lost) => {
                let columns = columns.join(", ");
                format!("the release that runs may count on `{table}` ({columns}) to be unique, `ON CONFLICT` among it")
            }
            Lost::Check(_) | Lost::Foreign(_) if !comes_again(context, &table, &lost) => {
                format!("the release that runs may count on `{name}` of `{table}`")
            }
            _ => continue,
        };
        let finding = RuleFinding::new(message);
        findings.add(match range {
            Some(range) => finding.at(range),
            None => finding,
        });
    }
}

/// What a table no longer demands: as names of columns, or of what a condition mentions.
enum Lost {
    Unique(Vec<String>),
    Check(Vec<String>),
    Foreign(Vec<String>),
}

/// The names of what is dropped, with the table.
fn dropped<'a>(context: &StatementContext<'a>) -> Vec<(ObjectName, String, Option<&'a Range<usize>>)> {
    if let Syntax::Drop(removal) = context.syntax() {
        if removal.kind != ObjectKind::Index {
            return Vec::new();
        }
        let table = removal.table.as_ref().map(|table| context.schema.resolve(table));
        let indexes = removal.names.iter().map(|name| context.schema.resolve(name));
        let of_table = |index: ObjectName| {
            let table = context.schema.table_of_index(table.as_ref(), &index)?.clone();
            Some((table, index.name().to_owned(), None))
        };
        return indexes.filter_map(of_table).collect();
    }
    let gone = |table: &ObjectName, column: &str| {
        context.relation(table).is_some_and(|own| own.column(column).is_some())
            && context.actions().any(|(_, action, _)| matches!(action, ActionKind::DropColumn { name, .. } if name == column))
    };
    let of_action = |(table, action, range): (ObjectName, &'a ActionKind, &'a Range<usize>)| {
        let name = match action {
            ActionKind::DropConstraint { name, .. } | ActionKind::DropForeignKey(name) | ActionKind::DropIndex(name) => {
                name.clone()
            }
            ActionKind::DropPrimaryKey => {
                let primary = |constraint: &&Constraint| matches!(constraint.kind, ConstraintKind::Primary(_));
                context.relation(&table)?.constraints.iter().find(primary)?.name.clone()
            }
            _ => return None,
        };
        // Where the column goes as well, that is told of.
        let columns = context.relation(&table).and_then(|relation| lost(relation, &name));
        let with_column = columns.is_some_and(|lost| lost.columns().iter().any(|column| gone(&table, column)));
        (!with_column).then_some((table, name, Some(range)))
    };
    context.actions().filter_map(of_action).collect()
}

impl Lost {
    fn columns(&self) -> &[String] {
        match self {
            Lost::Unique(columns) | Lost::Check(columns) | Lost::Foreign(columns) => columns,
        }
    }
}

fn lost(relation: &Relation, name: &str) -> Option<Lost> {
    let Some(constraint) = relation.constraint(name) else {
        let index =
            relation.indexes.iter().find(|index| index.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name)))?;
        return (index.unique && !index.partial_or_expression).then(|| Lost::Unique(index.columns.clone()));
    };
    match &constraint.kind {
        ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) => Some(Lost::Unique(columns.clone())),
        ConstraintKind::Foreign { columns, .. } => Some(Lost::Foreign(columns.clone())),
        ConstraintKind::Check { not_null, mentions, .. } => {
            let said = |column: &String| relation.column(column).is_some_and(|own| own.not_null);
            let said_otherwise = !not_null.is_empty() && not_null.iter().all(said);
            (!said_otherwise).then(|| Lost::Check(mentions.clone()))
        }
        ConstraintKind::Exclude | ConstraintKind::NotNull(_) => None,
    }
}

/// Keeps something else the same columns unique?
fn has_another(relation: &Relation, name: &str, columns: &[String]) -> bool {
    let indexes = relation.indexes.iter().filter(|index| index.unique && !index.partial_or_expression);
    let indexes = indexes.map(|index| (index.name.as_deref().unwrap_or_default(), &index.columns));
    let keys = relation.constraints.iter().filter_map(|constraint| match &constraint.kind {
        ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) => Some((&*constraint.name, columns)),
        _ => None,
    });
    keys.chain(indexes).any(|(own, others)| !own.eq_ignore_ascii_case(name) && same(others, columns))
}

fn same(one: &[String], other: &[String]) -> bool {
    let lower = |names: &[String]| {
        let mut names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        names.sort();
        names
    };
    lower(one) == lower(other)
}

/// Does this statement, or a later one of the file, demand the like again?
fn comes_again(context: &StatementContext<'_>, table: &ObjectName, lost: &Lost) -> bool {
    let again = |syntax: &Syntax| match syntax {
        Syntax::AlterTable(alter) if context.schema.resolve(&alter.table) == *table => {
            alter.actions.iter().any(|action| demands(&action.kind, lost))
        }
        Syntax::CreateIndex(index) if context.schema.resolve(&index.table) == *table => demands_unique(index, lost),
        _ => false,
    };
    again(context.syntax()) || context.is_followed_by(again)
}

fn demands(action: &ActionKind, lost: &Lost) -> bool {
    match (action, lost) {
        (ActionKind::AddIndex(index), _) => demands_unique(index, lost),
        (ActionKind::AddConstraint(constraint), _) => match (&constraint.kind, lost) {
            (
                syntax::ConstraintKind::Unique { columns, using_index }
                | syntax::ConstraintKind::Primary { columns, using_index },
                Lost::Unique(own),
            ) => using_index.is_some() || same(columns, own),
            (syntax::ConstraintKind::Check(check), Lost::Check(own)) => own.iter().any(|word| check.mentions.contains(word)),
            (syntax::ConstraintKind::Foreign { columns, .. }, Lost::Foreign(own)) => same(columns, own),
            (syntax::ConstraintKind::Exclude, Lost::Unique(_)) => true,
            _ => false,
        },
        // An enumerated type or another one says what the condition said.
        (ActionKind::SetType { column, .. }, Lost::Check(own)) => own.contains(column),
        _ => false,
    }
}

fn demands_unique(index: &syntax::CreateIndex, lost: &Lost) -> bool {
    matches!(lost, Lost::Unique(own) if index.unique && (index.expressions || index.partial || same(&index.columns, own)))
}
