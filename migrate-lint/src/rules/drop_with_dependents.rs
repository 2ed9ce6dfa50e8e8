//! The rule `drop-with-dependents`.

use crate::context::StatementContext;
use crate::dependents::Part;
use crate::object_name::ObjectName;
use crate::parts::PartKey;
use crate::relation::{Column, Constraint, ConstraintKind, Relation};
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::schema::Schema;
use crate::server::Product;
use crate::simulation::truncated_tables;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, DropStatement, ObjectKind, Syntax};
use std::collections::BTreeSet;

/// Flags `DROP` and `TRUNCATE` of an object that other objects depend on.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-with-dependents",
        "PostgreSQL rejects a `DROP` without `CASCADE` if other objects depend on the dropped object (error 2BP01). \
         This applies to a table referenced by a foreign key or a view, a schema that contains objects, a type used \
         by a column or a domain, a column, a key or a unique index referenced by a foreign key, the index of a constraint, and a \
         function used by a trigger. PostgreSQL \
         also rejects a `TRUNCATE` without `CASCADE` if a foreign key of another table references the truncated \
         table (error 0A000). Down migrations often fail with error 2BP01 because they drop objects in the order of \
         creation.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "drop the dependent objects first, by name",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));",
            "-- migrate: phase contract\nDROP TABLE a;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));",
            "-- migrate: phase contract\nTRUNCATE a;",
        ]),
        postgres(&["CREATE SCHEMA s; CREATE TABLE s.t (a int);", "-- migrate: phase contract\nDROP SCHEMA s;"]),
        postgres(&["CREATE TYPE m AS ENUM ('x'); CREATE DOMAIN d AS m;", "-- migrate: phase contract\nDROP TYPE m;"]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));",
            "-- migrate: phase contract\nTRUNCATE ONLY (a);",
        ]),
        postgres(&[
            "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
            "-- migrate: phase contract\nDROP FUNCTION f();",
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
        postgres(&["CREATE TABLE a (id int, k int UNIQUE);", "-- migrate: phase contract\nDROP INDEX a_k_key;"]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (a_id int REFERENCES a);",
            "-- migrate: phase contract\nALTER TABLE a DROP COLUMN id;",
        ]),
        postgres(&["CREATE TABLE a (n int); CREATE TABLE b (v int) INHERITS (a);", "-- migrate: phase contract\nDROP TABLE a;"]),
        postgres(&["CREATE TABLE a (id int PRIMARY KEY);", "-- migrate: phase contract\nDROP INDEX CONCURRENTLY a_pkey;"]),
        postgres(&[
            "CREATE TABLE a (k int); CREATE UNIQUE INDEX u ON a (k); CREATE TABLE b (k int REFERENCES a (k));",
            "-- migrate: phase contract\nDROP INDEX u;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));",
            "-- migrate: phase contract\nDROP TABLE b; DROP TABLE a;",
        ]),
        postgres(&["CREATE SCHEMA s; CREATE TABLE s.t (a int);", "-- migrate: phase contract\nDROP TABLE s.t; DROP SCHEMA s;"]),
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
        postgres(&[
            "CREATE TABLE a (k int); CREATE UNIQUE INDEX u ON a (k); CREATE UNIQUE INDEX w ON a (k, k); CREATE TABLE b (k int);",
            "-- migrate: phase contract\nDROP INDEX u; DROP INDEX w;",
        ]),
        postgres(&[
            "CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (a_id int REFERENCES a);",
            "-- migrate: phase contract\nALTER TABLE a DROP COLUMN n; DROP TABLE b; ALTER TABLE a DROP COLUMN id;",
        ]),
        postgres(&[
            "CREATE TABLE a (n int); CREATE TABLE b (v int) INHERITS (a);",
            "-- migrate: phase contract\nDROP TABLE a, b;",
        ]),
        postgres(&[
            "CREATE TABLE a (k int CONSTRAINT c UNIQUE);",
            "-- migrate: phase contract\nALTER TABLE a DROP CONSTRAINT c; CREATE INDEX c ON a (k); DROP INDEX c;",
        ]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    // A block can catch the error.
    if context.parsed.in_block || context.schema.is_opaque() {
        return;
    }
    if let Syntax::Drop(removal) = context.syntax() {
        check_drop(context, removal, findings);
    }
    if let Syntax::Truncate { cascade: false, .. } = context.syntax() {
        let keys = truncated_tables(context.schema, context.syntax());
        let truncated: BTreeSet<&ObjectName> = keys.iter().collect();
        for key in &keys {
            for child in context.schema.certain_children(key).filter(|child| !truncated.contains(child)) {
                let message = format!("cannot truncate `{key}`: a foreign key of `{child}` references it");
                findings.add(RuleFinding::new(message).fix("truncate both tables in one statement, or delete the rows"));
            }
        }
    }
    for (table, action, range) in context.actions() {
        if let ActionKind::DropColumn { name, cascade: false, .. } = action {
            for child in tables_referencing_column(context, &table, name) {
                let message = format!("cannot drop `{table}.{name}`: a foreign key of `{child}` depends on it");
                findings.add(RuleFinding::new(message).at(range));
            }
        }
        let ActionKind::DropConstraint { name, cascade: false, .. } = action else { continue };
        let Some(relation) = context.relation(&table) else { continue };
        let key = relation.constraint(name).map(|constraint| &constraint.kind);
        let Some(ConstraintKind::Primary(columns) | ConstraintKind::Unique(columns)) = key else { continue };
        if let Some(child) = referencing_table(context, &table, relation, columns, name) {
            let message = format!("cannot drop `{name}`: a foreign key of `{child}` depends on it");
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}

fn check_drop(context: &StatementContext<'_>, removal: &DropStatement, findings: &mut RuleFindings) {
    if removal.cascade || removal.temporary {
        return;
    }
    let keys: BTreeSet<ObjectName> = removal.names.iter().map(|name| context.schema.resolve(name)).collect();
    for key in removal.names.iter().map(|name| context.schema.resolve(name)) {
        for dependent in dependents(context, removal.kind, &key, &keys) {
            findings.add(RuleFinding::new(format!("cannot drop `{key}`: {dependent} depends on it")));
        }
    }
}

/// The objects that certainly depend on this one, without those that the statement drops too.
fn dependents(context: &StatementContext<'_>, kind: ObjectKind, key: &ObjectName, dropped: &BTreeSet<ObjectName>) -> Vec<String> {
    let schema = context.schema;
    match kind {
        ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView => {
            let children = schema.certain_children(key).filter(|child| !dropped.contains(*child) && kind == ObjectKind::Table);
            let views =
                schema.views_reading(key).filter(|(view, other)| !other.certainty.is_uncertain() && !dropped.contains(*view));
            let views = views.map(|(view, _)| format!("view `{view}`"));
            let is_certain = |heir: &&ObjectName| schema.relation(heir).is_some_and(|heir| !heir.certainty.is_uncertain());
            let heirs = schema.inheriting(key).filter(is_certain).filter(|heir| !dropped.contains(*heir));
            let heirs = heirs.map(|heir| format!("the inheriting table `{heir}`"));
            children.map(|child| format!("a foreign key of `{child}`")).chain(views).chain(heirs).collect()
        }
        ObjectKind::Type | ObjectKind::Domain if schema.ty(key).is_some() => {
            let has_type = |column: &&Column| column.ty.as_ref().is_some_and(|ty| schema.resolve_type(ty) == *key);
            let of_type = schema.users_of_type(key).flat_map(|(table, relation)| {
                relation.columns.iter().filter(has_type).map(move |column| format!("column `{table}.{}`", column.name))
            });
            let domains = schema.domains_over(key).filter(|domain| !dropped.contains(*domain));
            of_type.chain(domains.map(|domain| format!("domain `{domain}`"))).collect()
        }
        // A trigger function has no arguments; a function of the same name with arguments is another function.
        ObjectKind::Routine if context.sql.contains("()") || !context.sql.contains('(') => {
            schema.callers(key).map(|(trigger, table)| format!("trigger `{trigger}` on `{table}`")).collect()
        }
        ObjectKind::Index => dependent_of_index(context, key).into_iter().collect(),
        ObjectKind::Schema => {
            let is_certain = |part: &Part| match part {
                Part::Relation(name) => schema.relation(name).is_some_and(|relation| !relation.certainty.is_uncertain()),
                _ => true,
            };
            schema.parts_in(key.name()).iter().filter(|part| is_certain(part)).map(ToString::to_string).collect()
        }
        _ => Vec::new(),
    }
}

/// The other tables that certainly have a foreign key to this column.
fn tables_referencing_column(context: &StatementContext<'_>, table: &ObjectName, column: &str) -> Vec<ObjectName> {
    let Some(relation) = context.relation(table).filter(|relation| relation.has_column(column)) else { return Vec::new() };
    let references = |child: &&ObjectName| {
        let keys = context.relation(child).into_iter().flat_map(|relation| relation.foreign_keys_to(table));
        keys.map(|(key, ..)| key).filter(|key| !key.certainty.is_uncertain()).any(|constraint| match &constraint.kind {
            ConstraintKind::Foreign { targets, .. } => {
                relation.targets(targets).is_some_and(|names| names.iter().any(|name| name == column))
            }
            _ => false,
        })
    };
    context.schema.certain_children(table).filter(|child| *child != table).filter(references).cloned().collect()
}

/// The constraint that an index belongs to, or a foreign key that depends on it.
fn dependent_of_index(context: &StatementContext<'_>, index: &ObjectName) -> Option<String> {
    let Some(table) = context.schema.table_of_index(None, index) else {
        let (constraint, table) = constraint_of_index(context.schema, index)?;
        return Some(format!("constraint `{}` of `{table}`", constraint.name));
    };
    let relation = context.relation(table).filter(|relation| !relation.certainty.is_uncertain())?;
    let dropped = relation.indexes.find(index.name(), true)?;
    let is_key = dropped.unique && !dropped.partial_or_expression && !dropped.certainty.is_uncertain();
    let child = is_key.then(|| referencing_table(context, table, relation, &dropped.columns, index.name())).flatten()?;
    Some(format!("a foreign key of `{child}`"))
}

/// The constraint with the name of an index, and its table. Only names as PostgreSQL generates them are looked for, because this
/// searches all tables.
fn constraint_of_index<'a>(schema: &'a Schema, index: &ObjectName) -> Option<(&'a Constraint, &'a ObjectName)> {
    if !["_pkey", "_key", "_excl"].iter().any(|suffix| index.name().ends_with(suffix)) {
        return None;
    }
    let has_index = |constraint: &Constraint| {
        let has_index =
            matches!(constraint.kind, ConstraintKind::Primary(_) | ConstraintKind::Unique(_) | ConstraintKind::Exclude);
        has_index && !constraint.certainty.is_uncertain()
    };
    schema.relations().filter(|(_, relation)| !relation.certainty.is_uncertain()).find_map(|(table, relation)| {
        let constraint = relation.constraint(index.name()).filter(|constraint| has_index(constraint))?;
        (schema.in_same_schema(table, index.name()) == *index).then_some((constraint, table))
    })
}

/// A table whose foreign key references these columns of the key or the unique index with this name, unless another one covers
/// them.
fn referencing_table(
    context: &StatementContext<'_>,
    table: &ObjectName,
    relation: &Relation,
    columns: &[String],
    name: &str,
) -> Option<ObjectName> {
    let is_same = |others: &[String]| others.len() == columns.len() && others.iter().all(|other| columns.contains(other));
    let is_other_key = |constraint: &Constraint| match &constraint.kind {
        ConstraintKind::Primary(others) | ConstraintKind::Unique(others) => constraint.name != name && is_same(others),
        _ => false,
    };
    let first = columns.first()?;
    let is_otherwise_unique = relation.constraints.candidates(|| PartKey::indexed(first)).any(is_other_key)
        || relation.indexes_with(first).any(|index| {
            index.name.as_deref() != Some(name) && index.unique && !index.partial_or_expression && is_same(&index.columns)
        });
    let references_key = |child: &ObjectName| {
        let mut keys = context.relation(child).into_iter().flat_map(|relation| relation.foreign_keys_to(table));
        keys.any(|(constraint, ..)| match &constraint.kind {
            ConstraintKind::Foreign { targets, .. } => relation.targets(targets).is_some_and(is_same),
            _ => false,
        })
    };
    let mut children = context.schema.certain_children(table);
    children.find(|child| relation.columns_known && !is_otherwise_unique && references_key(child)).cloned()
}
