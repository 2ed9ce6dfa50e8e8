//! The rule `drop-with-dependents`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::relation::{Constraint, ConstraintKind, Relation};
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, DropStatement, ObjectKind, Syntax, Type};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-with-dependents",
        "PostgreSQL refuses to drop, and to truncate, what something else stands on: a table that a foreign key or a view leads to, a type of \
         a column, a key that a foreign key refers to, a function that a trigger calls (error 2BP01). Ways down fail so when they drop in the order in which the \
         way up has made things.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "drop what stands on it first, each by its name",
    opt_in: false,
    down: true,
    check: Check::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));",
            "-- migrate: phase contract\nTRUNCATE a;",
        ]),
        postgres(&[
            "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
            "-- migrate: phase contract\nDROP FUNCTION f();",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));",
            "-- migrate: phase contract\nDROP TABLE a;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM a;",
            "-- migrate: phase contract\nDROP TABLE a;",
        ]),
        postgres(&["CREATE TYPE m AS ENUM ('x'); CREATE TABLE a (e m);", "-- migrate: phase contract\nDROP TYPE m;"]),
        postgres(&["CREATE DOMAIN d AS int; CREATE TABLE a (e d);", "-- migrate: phase contract\nDROP DOMAIN d;"]),
        postgres(&[
            "CREATE TYPE m AS ENUM ('x'); CREATE TABLE a (e m);",
            "-- migrate: phase contract\nALTER TYPE m RENAME TO n; CREATE TYPE m AS ENUM ('y'); DROP TYPE n;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));",
            "-- migrate: phase contract\nALTER TABLE a DROP CONSTRAINT a_pkey;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY, k int UNIQUE); CREATE TABLE b (k int REFERENCES a (k));",
            "-- migrate: phase contract\nALTER TABLE a RENAME k TO l; ALTER TABLE a DROP CONSTRAINT a_k_key;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int); CREATE VIEW v AS SELECT id FROM a; CREATE VIEW w AS SELECT id FROM v;",
            "-- migrate: phase contract\nDROP VIEW v;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));",
            "-- migrate: phase contract\nTRUNCATE a, b;",
        ]),
        postgres(&[
            "CREATE TABLE t (id int, a int, b int); CREATE TABLE b (id int); CREATE VIEW v AS SELECT id FROM t WHERE a IS DISTINCT FROM b;",
            "-- migrate: phase contract\nDROP TABLE b;",
        ]),
        postgres(&[
            "CREATE TABLE t (ts date); CREATE TABLE ts (id int); CREATE VIEW v AS SELECT extract(year FROM ts) AS y FROM t;",
            "-- migrate: phase contract\nDROP TABLE ts;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id)); CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DROP TABLE b'; SELECT f();",
            "-- migrate: phase contract\nDROP TABLE a;",
        ]),
        postgres(&[
            "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
            "-- migrate: phase contract\nDROP TRIGGER g ON t; DROP FUNCTION f();",
        ]),
        postgres(&[
            "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
            "-- migrate: phase contract\nDROP TABLE t; DROP FUNCTION f();",
        ]),
        postgres(&[
            "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE VIEW v AS WITH a AS (SELECT id FROM b) SELECT * FROM a;",
            "-- migrate: phase contract\nDROP TABLE a;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));",
            "-- migrate: phase contract\nDROP TABLE b; DROP TABLE a;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));",
            "-- migrate: phase contract\nDROP TABLE a, b;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY, parent int REFERENCES a (id));",
            "-- migrate: phase contract\nDROP TABLE a;",
        ]),
        postgres(&[
            "CREATE TYPE m AS ENUM ('x'); CREATE TABLE a (e m);",
            "-- migrate: phase contract\nALTER TABLE a DROP COLUMN e; DROP TYPE m;",
        ]),
        postgres(&[
            "CREATE TYPE m AS ENUM ('x'); CREATE TABLE a (e m);",
            "-- migrate: phase contract\nALTER TYPE m RENAME TO n; CREATE TYPE m AS ENUM ('y'); ALTER TABLE a ALTER e TYPE m USING e::text::m; DROP TYPE n;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY, k int UNIQUE); CREATE TABLE b (a_id int REFERENCES a (id));",
            "-- migrate: phase contract\nALTER TABLE a DROP CONSTRAINT a_k_key;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY, k int UNIQUE); CREATE TABLE b (k int REFERENCES a (k));",
            "-- migrate: phase contract\nALTER TABLE a DROP CONSTRAINT a_pkey;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int CONSTRAINT f REFERENCES a (id));",
            "-- migrate: phase contract\nALTER TABLE b DROP CONSTRAINT f; DROP TABLE a;",
        ]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    // In a block, an error may be caught.
    if context.parsed.in_block || context.schema.is_opaque() {
        return;
    }
    if let Syntax::Drop(removal) = context.syntax() {
        dropped(context, removal, findings);
    }
    if let Syntax::Truncate { tables, cascade: false } = context.syntax() {
        let keys: Vec<ObjectName> = tables.iter().map(|table| context.schema.resolve(table)).collect();
        for key in &keys {
            if let Some((child, ..)) = context.schema.children(key).find(|(child, ..)| !keys.contains(child)) {
                findings.add(
                    RuleFinding::new(format!("a foreign key of `{child}` leads to `{key}`, so it cannot be truncated"))
                        .fix("name both tables in one `TRUNCATE`, or delete the rows"),
                );
            }
        }
    }
    for (table, action, range) in context.actions() {
        let ActionKind::DropConstraint { name, cascade: false, .. } = action else { continue };
        let Some(relation) = context.relation(&table) else { continue };
        if let Some(child) = needs_key(context, &table, relation, name) {
            findings
                .add(RuleFinding::new(format!("a foreign key of `{child}` needs `{name}`, so it cannot be dropped")).at(range));
        }
    }
}

fn dropped(context: &StatementContext<'_>, removal: &DropStatement, findings: &mut RuleFindings) {
    if removal.cascade || removal.temporary {
        return;
    }
    let keys: Vec<ObjectName> = removal.names.iter().map(|name| context.schema.resolve(name)).collect();
    for key in &keys {
        let needs = match removal.kind {
            ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView => {
                let child = context.schema.children(key).map(|(child, ..)| child).find(|child| !keys.contains(child));
                let reader = context.schema.views_reading(key).map(|(reader, _)| reader).find(|reader| !keys.contains(reader));
                let child = child.filter(|_| removal.kind == ObjectKind::Table);
                child.map(|child| format!("a foreign key of `{child}`")).or(reader.map(|reader| format!("view `{reader}`")))
            }
            ObjectKind::Type | ObjectKind::Domain if context.schema.ty(key).is_some() => {
                let of = |relation: &Relation| {
                    let is = |ty: &Type| context.schema.resolve_type(ty) == *key;
                    relation.columns.iter().find(|column| column.ty.as_ref().is_some_and(is)).map(|column| column.name.clone())
                };
                let user = context.schema.relations().find_map(|(table, relation)| Some((table, of(relation)?)));
                user.map(|(table, column)| format!("column `{table}.{column}`"))
            }
            // A function of a trigger has no arguments; another of its name may have some.
            ObjectKind::Routine if context.sql.contains("()") || !context.sql.contains('(') => {
                context.schema.caller(key).map(|(trigger, table)| format!("trigger `{trigger}` on `{table}`"))
            }
            _ => None,
        };
        if let Some(needs) = needs {
            findings.add(RuleFinding::new(format!("{needs} needs `{key}`, so it cannot be dropped")));
        }
    }
}

/// Whose foreign key leads to the columns of a key, if nothing else makes these unique.
fn needs_key(context: &StatementContext<'_>, table: &ObjectName, relation: &Relation, name: &str) -> Option<ObjectName> {
    let (ConstraintKind::Primary(columns) | ConstraintKind::Unique(columns)) = &relation.constraint(name)?.kind else {
        return None;
    };
    let same = |others: &[String]| others.len() == columns.len() && others.iter().all(|other| columns.contains(other));
    let is_another = |constraint: &Constraint| match &constraint.kind {
        ConstraintKind::Primary(others) | ConstraintKind::Unique(others) => constraint.name != name && same(others),
        _ => false,
    };
    let others = relation.constraints.iter().any(is_another)
        || relation.indexes.iter().any(|index| index.unique && !index.partial_or_expression && same(&index.columns));
    let leads_here = |child: &ObjectName| {
        let constraints = context.relation(child).map(|relation| relation.constraints.as_slice()).unwrap_or_default();
        constraints.iter().any(|constraint| match &constraint.kind {
            ConstraintKind::Foreign { table: parent, targets, .. } => {
                parent == table && relation.targets(targets).is_some_and(same)
            }
            _ => false,
        })
    };
    let mut children = context.schema.children(table).map(|(child, ..)| child);
    children.find(|child| relation.columns_known && !others && leads_here(child)).cloned()
}
