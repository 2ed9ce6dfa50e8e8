//! The rule `already-exists`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::relation::{Constraint, Relation, is_same};
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::schema::SchemaObject;
use crate::server::Product;
use crate::simulation::name_holder;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{self, ActionKind, ObjectKind, Syntax, TypeAction};
use std::collections::HashSet;

/// Flags a statement that creates an object that an earlier statement created and none dropped.
pub static RULE: Rule = Rule {
    code: Code::new(
        "already-exists",
        "The statement creates an object that an earlier statement has already created: a schema, sequence, table, \
         view, column, index, constraint, trigger, type or enum value. The earlier statement can be in an earlier \
         migration or in the same file. The statement fails on every database on which the earlier statement was \
         executed. A column that is renamed to an existing name is flagged as well. Statements with `IF NOT EXISTS` \
         or `OR REPLACE` are not flagged.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "remove the statement; or, if the two objects differ, choose another name for the new object",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id int PRIMARY KEY, k int);", "ALTER TABLE t ADD PRIMARY KEY (k);"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE t (a int, b int);"]),
        postgres(&["CREATE TABLE t (a int, b int);", "-- migrate: phase contract\nALTER TABLE t RENAME a TO b;"]),
        sqlite(&["CREATE TABLE t (a int, b int);", "-- migrate: phase contract\nALTER TABLE t RENAME COLUMN a TO b;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY k (a, b));",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD KEY k (b);",
        ]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN a int;"]),
        mysql(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a);", "CREATE INDEX i ON t (a);"]),
        mysql(&["CREATE TABLE t (a int, b int, KEY i (a));", "ALTER TABLE t ADD INDEX i (b);"]),
        sqlite(&["CREATE TABLE t (a int);", "CREATE TABLE T (a int);"]),
        postgres(&["CREATE TYPE m AS ENUM ('a');", "CREATE TYPE m AS ENUM ('b');"]),
        mysql(&["CREATE TABLE t (a int, KEY i (a)); CREATE TABLE u LIKE t;", "CREATE INDEX i ON u (a);"]),
        postgres(&["CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;", "CREATE VIEW v AS SELECT 1 AS a;"]),
        sqlite(&[
            "CREATE TABLE t (a int); CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;",
            "CREATE TRIGGER g AFTER DELETE ON t BEGIN SELECT 1; END;",
        ]),
        postgres(&["CREATE SCHEMA s; CREATE SEQUENCE n;", "CREATE SEQUENCE n;"]),
        postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m ADD VALUE 'a';"]),
        postgres(&[
            "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;",
            "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 1) NOT VALID;",
        ]),
        postgres(&["CREATE TABLE t (a int, CONSTRAINT k CHECK (a > 0), CONSTRAINT k UNIQUE (a));"]),
        postgres(&["CREATE TABLE t (a int CONSTRAINT k UNIQUE, b int CONSTRAINT k CHECK (b > 0));"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0), ADD CONSTRAINT k CHECK (a > 1);"]),
        postgres(&["CREATE TABLE t (id int PRIMARY KEY, a int);", "CREATE INDEX t_pkey ON t (a);"]),
        postgres(&["CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;", "CREATE INDEX v ON t (a);"]),
        mysql(&["CREATE TABLE t (a int, KEY k (a), UNIQUE KEY K (a));"]),
        mysql(&["CREATE TABLE t (a int, b int);", "ALTER TABLE t ADD KEY k (a), ADD KEY k (b);"]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE p (z int); CREATE TABLE c (v int) INHERITS (p); CREATE TABLE d (w int) INHERITS (c);",
            "ALTER TABLE p RENAME z TO y; ALTER TABLE c ADD COLUMN z int; ALTER TABLE d ADD COLUMN x int;",
        ]),
        postgres(&["CREATE TABLE t (id int PRIMARY KEY, k int);", "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (k);"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE IF NOT EXISTS t (a int);"]),
        mysql(&["CREATE TABLE t (a int, KEY k (a), CONSTRAINT k CHECK (a > 0)); ALTER TABLE t DROP KEY k, ADD KEY k (a);"]),
        postgres(&[
            "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
            "ALTER TRIGGER g ON t RENAME TO h; CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
        ]),
        postgres(&["CREATE DOMAIN d AS int;", "ALTER DOMAIN d RENAME TO e; CREATE DOMAIN d AS text;"]),
        postgres(&[
            "CREATE SEQUENCE s; CREATE TYPE m AS ENUM ('x'); CREATE DOMAIN d AS int; CREATE VIEW v AS SELECT 1 AS x;",
            "ALTER SEQUENCE s SET SCHEMA a; ALTER TYPE m SET SCHEMA a; ALTER DOMAIN d SET SCHEMA a; ALTER VIEW v SET SCHEMA a; CREATE SEQUENCE s; CREATE TYPE m AS ENUM ('y'); CREATE DOMAIN d AS text; CREATE VIEW v AS SELECT 2 AS x;",
        ]),
        postgres(&[
            "CREATE TABLE a (x int NOT NULL); CREATE UNIQUE INDEX ix ON a (x); ALTER TABLE a ADD CONSTRAINT u UNIQUE USING INDEX ix;",
            "ALTER TABLE a DROP CONSTRAINT u; CREATE INDEX ix ON a (x);",
        ]),
        postgres(&[
            "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a FROM t;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a CASCADE; CREATE VIEW v AS SELECT b FROM t;",
        ]),
        mysql(&["CREATE TABLE t (b int, INDEX i (b));", "CREATE OR REPLACE INDEX i ON t (b);"]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nDROP TABLE t;", "CREATE TABLE t (a int);"]),
        postgres(&["CREATE TABLE a.t (x int);", "CREATE TABLE b.t (x int);"]),
        postgres(&[
            "CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;",
            "CREATE OR REPLACE VIEW v AS SELECT a, 1 AS b FROM t;",
        ]),
        sqlite(&[
            "CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;",
            "DROP TRIGGER g; CREATE TRIGGER g AFTER INSERT ON u BEGIN SELECT 1; END; CREATE TRIGGER IF NOT EXISTS g AFTER INSERT ON u BEGIN SELECT 1; END;",
        ]),
        postgres(&[
            "CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();",
            "CREATE TRIGGER g BEFORE UPDATE ON u FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();",
        ]),
        mysql(&["CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE INDEX i ON t (a);", "CREATE INDEX i ON u (a);"]),
        mysql(&["CREATE TABLE t (a int, b int, KEY i (a));", "ALTER TABLE t DROP INDEX i, ADD INDEX i (b);"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t CHANGE a b int, ADD COLUMN a int;"]),
        postgres(&[
            "CREATE TABLE t (a int);",
            "DO $$ BEGIN CREATE TABLE t (a int); EXCEPTION WHEN duplicate_table THEN null; END $$;",
        ]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int;"]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    // A block can catch the error.
    if context.parsed.in_block || context.schema.is_opaque() {
        return;
    }
    if let Some((kind, name)) = repeated_name(context) {
        findings.add(RuleFinding::new(format!("the statement adds {kind} `{name}` twice")));
    }
    if context.alter().is_some() {
        for (table, action, range) in context.actions() {
            if let Some(message) = existing_part(context, &table, action) {
                findings.add(RuleFinding::new(message).at(range));
            }
        }
    } else if let Some(message) = existing_object(context) {
        findings.add(RuleFinding::new(message));
    }
}

/// A constraint or an index that the statement adds twice: its kind and its name. SQLite accepts two constraints of one name.
fn repeated_name(context: &StatementContext<'_>) -> Option<(&'static str, String)> {
    let is_mysql = !context.schema.shares_names_with_indexes();
    let mut names: HashSet<(&'static str, String)> = HashSet::new();
    for (kind, name) in context.new_names() {
        // A name is unique among the constraints of a table on PostgreSQL, and among those of one kind on MySQL.
        let name = if is_mysql { (kind, name.to_lowercase()) } else { ("constraint", name.to_owned()) };
        if let Some(name) = names.replace(name) {
            return Some(name);
        }
    }
    None
}

/// The message about an object that the statement creates and that exists.
fn existing_object(context: &StatementContext<'_>) -> Option<String> {
    match context.syntax() {
        Syntax::CreateTable(table) if !table.if_not_exists && !table.or_replace && !table.temporary => {
            let key = context.schema.resolve(table.name.as_ref()?);
            let exists = context
                .relation(&key)
                .is_some_and(|relation| !relation.may_predate_history && !relation.certainty.is_uncertain());
            exists.then(|| created_earlier(&format!("`{key}` already exists")))
        }
        Syntax::CreateView(view) if !view.if_not_exists && !view.or_replace && !view.temporary => {
            let key = context.schema.resolve(&view.name);
            let exists = context.relation(&key).is_some_and(|relation| !relation.certainty.is_uncertain());
            exists.then(|| created_earlier(&format!("`{key}` already exists")))
        }
        Syntax::CreateTrigger { name, table: Some(table), or_replace: false, if_not_exists: false, temporary: false, .. } => {
            let table = context.schema.resolve(table);
            let key = context.schema.in_same_schema(&table, &name.name);
            let exists = context.schema.has(ObjectKind::Trigger, &key, Some(&table));
            exists.then(|| created_earlier(&format!("trigger `{key}` already exists")))
        }
        Syntax::Create {
            kind: kind @ (ObjectKind::Schema | ObjectKind::Sequence),
            name,
            or_replace: false,
            if_not_exists: false,
            ..
        } => {
            let key = context.schema.resolve(name);
            let exists = context.schema.has(*kind, &key, None);
            exists.then(|| created_earlier(&format!("{} `{key}` already exists", kind.name())))
        }
        Syntax::CreateIndex(index) if !index.if_not_exists && !index.or_replace => {
            context.relation(&context.schema.resolve(&index.table))?;
            name_holder(context.schema, index).map(|holder| created_earlier(&holder))
        }
        Syntax::AlterType { name, action: TypeAction::AddValue { label, if_not_exists: false, .. } } => {
            let exists = match context.schema.ty(&context.schema.resolve(name)) {
                Some(SchemaObject::Enum(values)) => values.find(label, true).is_some(),
                _ => false,
            };
            exists.then(|| format!("type `{name}` already has the enum value '{label}'"))
        }
        Syntax::CreateType { name, .. } | Syntax::CreateDomain { name, .. } => {
            let key = context.schema.resolve(name);
            context.schema.ty(&key).map(|_| created_earlier(&format!("type `{key}` already exists")))
        }
        _ => None,
    }
}

fn created_earlier(what_exists: &str) -> String {
    format!("{what_exists}: an earlier statement creates it")
}

/// The message about a column, index or constraint that a clause of `ALTER TABLE` adds and that exists, unless another clause
/// removes it.
fn existing_part(context: &StatementContext<'_>, table: &ObjectName, action: &ActionKind) -> Option<String> {
    let relation = context.relation(table)?;
    match action {
        ActionKind::AddColumn { column, if_not_exists: false } => {
            let exists = relation.has_column(&column.name);
            let is_kept = || !removes_column(context, &column.name, false);
            (exists && is_kept()).then(|| format!("`{table}` already has a column `{}`", column.name))
        }
        ActionKind::RenameColumn { from, to } => {
            let exists = !relation.same(from, to) && relation.has_column(to);
            let is_kept = || !removes_column(context, to, relation.case_sensitive);
            (exists && is_kept()).then(|| format!("`{table}` already has a column `{to}`"))
        }
        ActionKind::AddIndex(index) if !index.if_not_exists => {
            let name = &index.name.as_ref()?.name;
            let key = context.schema.in_same_schema(table, name);
            let exists = relation.has_index(key.name()) && !removes_index(context, name);
            exists.then(|| format!("`{table}` already has an index `{key}`"))
        }
        ActionKind::AddConstraint(constraint) => {
            if let syntax::ConstraintKind::Primary { .. } = constraint.kind
                && context.server().product == Product::Postgres
                && let Some(key) = certain_primary_key(relation).filter(|key| !removes_constraint(context, &key.name))
            {
                return Some(format!("`{table}` already has a primary key, `{}`", key.name));
            }
            let name = constraint.name.as_deref()?;
            let exists = relation.has_constraint(name) && !removes_constraint(context, name);
            exists.then(|| format!("`{table}` already has a constraint `{name}`"))
        }
        _ => None,
    }
}

/// The primary key of a table, if it certainly has it.
fn certain_primary_key(relation: &Relation) -> Option<&Constraint> {
    let is_certain = !relation.certainty.is_uncertain() && !relation.may_predate_history;
    relation.primary_key().filter(|key| is_certain && !key.certainty.is_uncertain())
}

fn removes_column(context: &StatementContext<'_>, column: &str, case_sensitive: bool) -> bool {
    context.actions_naming(column).any(|clause| match &clause.kind {
        ActionKind::DropColumn { name, .. } | ActionKind::RenameColumn { from: name, .. } => {
            is_same(case_sensitive, name, column)
        }
        ActionKind::ChangeColumn { from, column: to } => {
            is_same(case_sensitive, from, column) && !is_same(case_sensitive, &to.name, column)
        }
        _ => false,
    })
}

fn removes_index(context: &StatementContext<'_>, index: &str) -> bool {
    context.actions_naming(index).any(|clause| match &clause.kind {
        ActionKind::DropIndex(name) | ActionKind::DropConstraint { name, .. } | ActionKind::RenameIndex { from: name, .. } => {
            name.eq_ignore_ascii_case(index)
        }
        _ => false,
    })
}

fn removes_constraint(context: &StatementContext<'_>, constraint: &str) -> bool {
    context.actions_naming(constraint).any(|clause| match &clause.kind {
        ActionKind::DropConstraint { name, .. } | ActionKind::DropForeignKey(name) => name.eq_ignore_ascii_case(constraint),
        _ => false,
    })
}
