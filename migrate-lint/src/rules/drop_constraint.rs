//! The rule `drop-constraint`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::parts::PartKey;
use crate::relation::{ConstraintKind, Relation};
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{self, ActionKind, ObjectKind, Syntax};
use std::ops::Range;

/// Flags the removal of a constraint or unique index that the deployed version of the application may rely on.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-constraint",
        "The deployed version of the application may rely on a constraint or unique index that the migration drops. \
         Without a unique constraint on `email`, `ON CONFLICT (email)` fails. Without a foreign key, `ON DELETE \
         CASCADE` no longer deletes rows. Without a CHECK, rows can appear that the application considers \
         impossible. Before the constraint can be added again, rows that violate it must be corrected. In a contract \
         migration, the statement is not flagged.",
    ),
    level: Level::Note,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "deploy a version of the application that does not rely on the constraint, then drop the constraint in a migration \
          with `-- migrate: phase \
         contract` in its header",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
        let Some(guarantee) = guarantee(relation, &name) else { continue };
        let message = match &guarantee {
            Guarantee::Unique(columns)
                if !is_otherwise_unique(relation, &name, columns) && !is_restored(context, &table, &guarantee) =>
            {
                let columns = columns.join(", ");
                format!(
                    "the deployed version of the application may rely on `{table}` ({columns}) being unique, for example in \
                     `ON CONFLICT`"
                )
            }
            Guarantee::Check(_) | Guarantee::Foreign(_) if !is_restored(context, &table, &guarantee) => {
                format!("the deployed version of the application may rely on constraint `{name}` of `{table}`")
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

/// What a constraint guarantees: the names of its columns, or the words of a condition that may be columns.
enum Guarantee {
    Unique(Vec<String>),
    Check(Vec<String>),
    Foreign(Vec<String>),
}

/// The constraints and indexes that the statement drops, each with its table. Constraints that are dropped together with
/// their column are left to `drop-column`.
fn dropped<'a>(context: &StatementContext<'a>) -> Vec<(ObjectName, String, Option<&'a Range<usize>>)> {
    if let Syntax::Drop(removal) = context.syntax() {
        if removal.kind != ObjectKind::Index {
            return Vec::new();
        }
        let table = removal.table.as_ref().map(|table| context.schema.resolve(table));
        let indexes = removal.names.iter().map(|name| context.schema.resolve(name));
        let with_table = |index: ObjectName| {
            let table = context.schema.table_of_index(table.as_ref(), &index)?.clone();
            Some((table, index.name().to_owned(), None))
        };
        return indexes.filter_map(with_table).collect();
    }
    let with_name = |(table, action, range): (ObjectName, &'a ActionKind, &'a Range<usize>)| {
        let name = dropped_name(context, &table, action)?;
        let guarantee = context.relation(&table).and_then(|relation| guarantee(relation, &name));
        let with_column = guarantee.is_some_and(|guarantee| drops_column_of(context, &table, guarantee.columns()));
        (!with_column).then_some((table, name, Some(range)))
    };
    context.actions().filter_map(with_name).collect()
}

/// The name of the constraint or index that a clause drops.
fn dropped_name(context: &StatementContext<'_>, table: &ObjectName, action: &ActionKind) -> Option<String> {
    match action {
        ActionKind::DropConstraint { name, .. } | ActionKind::DropForeignKey(name) | ActionKind::DropIndex(name) => {
            Some(name.clone())
        }
        ActionKind::DropPrimaryKey => Some(context.relation(table)?.primary_key()?.name.clone()),
        _ => None,
    }
}

/// Reports whether another clause of the statement drops one of these columns.
fn drops_column_of(context: &StatementContext<'_>, table: &ObjectName, columns: &[String]) -> bool {
    let is_dropped = |column: &String| {
        context.relation(table).is_some_and(|relation| relation.column(column).is_some())
            && context
                .actions_naming(column)
                .any(|action| matches!(&action.kind, ActionKind::DropColumn { name, .. } if name == column))
    };
    columns.iter().any(is_dropped)
}

impl Guarantee {
    fn columns(&self) -> &[String] {
        match self {
            Guarantee::Unique(columns) | Guarantee::Check(columns) | Guarantee::Foreign(columns) => columns,
        }
    }
}

fn guarantee(relation: &Relation, name: &str) -> Option<Guarantee> {
    let Some(constraint) = relation.constraint(name) else {
        let index = relation.indexes.find(name, false)?;
        return (index.unique && !index.partial_or_expression).then(|| Guarantee::Unique(index.columns.clone()));
    };
    match &constraint.kind {
        ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) => Some(Guarantee::Unique(columns.clone())),
        ConstraintKind::Foreign { columns, .. } => Some(Guarantee::Foreign(columns.clone())),
        ConstraintKind::Check { not_null, mentions, .. } => {
            let is_not_null = |name: &String| relation.column(name).is_some_and(|column| column.not_null);
            // The columns guarantee the same with `NOT NULL`.
            let is_redundant = !not_null.is_empty() && not_null.iter().all(is_not_null);
            (!is_redundant).then(|| Guarantee::Check(mentions.clone()))
        }
        ConstraintKind::Exclude | ConstraintKind::NotNull(_) => None,
    }
}

/// Reports whether another key or unique index covers the same columns.
fn is_otherwise_unique(relation: &Relation, name: &str, columns: &[String]) -> bool {
    let Some(first) = columns.first() else { return false };
    let indexes = relation.indexes_with(first).filter(|index| index.unique && !index.partial_or_expression);
    let indexes = indexes.map(|index| (index.name.as_deref().unwrap_or_default(), &index.columns));
    let keys = relation.constraints.candidates(|| PartKey::indexed(first)).filter_map(|constraint| match &constraint.kind {
        ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) => Some((&*constraint.name, columns)),
        _ => None,
    });
    keys.chain(indexes).any(|(key, key_columns)| !key.eq_ignore_ascii_case(name) && same_columns(key_columns, columns))
}

fn same_columns(left: &[String], right: &[String]) -> bool {
    let sorted = |names: &[String]| {
        let mut names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        names.sort();
        names
    };
    sorted(left) == sorted(right)
}

/// Reports whether this statement, or a later one of the file, adds a constraint with the same purpose.
fn is_restored(context: &StatementContext<'_>, table: &ObjectName, guarantee: &Guarantee) -> bool {
    let restores = |syntax: &Syntax| match syntax {
        Syntax::AlterTable(alter) if context.schema.resolve(&alter.table) == *table => {
            alter.actions.iter().any(|action| provides(&action.kind, guarantee))
        }
        Syntax::CreateIndex(index) if context.schema.resolve(&index.table) == *table => provides_unique(index, guarantee),
        _ => false,
    };
    let follows = |word: &str| context.is_followed_by(&[table.name(), word], restores);
    let follows_with_part = || match guarantee {
        Guarantee::Unique(columns) => {
            // An index over expressions, and `EXCLUDE`, may guarantee the same.
            let first = columns.first().is_some_and(|first| follows(first));
            first || ["UNIQUE", "USING", "EXCLUDE"].into_iter().any(follows)
        }
        Guarantee::Foreign(columns) => columns.first().is_some_and(|first| follows(first)),
        Guarantee::Check(words) => words.iter().any(|word| follows(word)),
    };
    restores(context.syntax()) || follows_with_part()
}

fn provides(action: &ActionKind, guarantee: &Guarantee) -> bool {
    match (action, guarantee) {
        (ActionKind::AddIndex(index), _) => provides_unique(index, guarantee),
        (ActionKind::AddConstraint(constraint), _) => match (&constraint.kind, guarantee) {
            (
                syntax::ConstraintKind::Unique { columns, using_index }
                | syntax::ConstraintKind::Primary { columns, using_index },
                Guarantee::Unique(unique),
            ) => using_index.is_some() || same_columns(columns, unique),
            (syntax::ConstraintKind::Check(check), Guarantee::Check(words)) => {
                words.iter().any(|word| check.mentions.contains(word))
            }
            (syntax::ConstraintKind::Foreign { columns, .. }, Guarantee::Foreign(key)) => same_columns(columns, key),
            (syntax::ConstraintKind::Exclude, Guarantee::Unique(_)) => true,
            _ => false,
        },
        // A new type, such as an enum, can replace the condition.
        (ActionKind::SetType { column, .. }, Guarantee::Check(words)) => words.contains(column),
        _ => false,
    }
}

fn provides_unique(index: &syntax::CreateIndex, guarantee: &Guarantee) -> bool {
    matches!(guarantee, Guarantee::Unique(unique)
        if index.unique && (index.expressions || index.partial || same_columns(&index.columns, unique)))
}
