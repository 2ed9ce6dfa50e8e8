//! The effects of a statement on the schema: the tables, columns, indexes and other objects that it creates or drops.
//!
//! With them, a query of the system catalog can determine the outcome of an interrupted statement. Effects that cannot be
//! determined are unknown.

use crate::dialect::Dialect;
use crate::name::Name;
use crate::reader;
use crate::syntax::{Action, ActionKind, AlterTable, ConstraintKind, CreateTable, DropStatement, ObjectKind, Syntax, TypeAction};
use crate::token::Tokens;
use std::fmt;

/// One effect of a statement on the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub verb: Verb,
    pub object: Object,
}

/// The state of an object after the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// The object exists.
    Creates,
    /// The object does not exist.
    Drops,
    /// The constraint is valid for all rows.
    Validates,
}

/// A database object: its kind and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    Table(Name),
    /// A view or a materialized view.
    View(Name),
    Sequence(Name),
    /// The table and the column.
    Column(Name, String),
    /// The table and the index. On MySQL an index belongs to its table; elsewhere the table of a `DROP` is unknown.
    Index(Option<Name>, Name),
    /// The table and the constraint. On MySQL, constraints of different types can have the same name.
    Constraint(Name, String, ConstraintType),
    /// The table, if the statement contains it, and the trigger.
    Trigger(Option<Name>, Name),
    /// The table and its partition (PostgreSQL).
    Partition(Name, Name),
    /// A type or a domain.
    Type(Name),
    /// The enumerated type and the value.
    EnumValue(Name, String),
    /// A function.
    Function(Name),
    /// A procedure.
    Procedure(Name),
    /// A schema; on MySQL a database.
    Schema(String),
    Extension(String),
}

/// The type of a constraint, as far as the statement contains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintType {
    /// The statement only names the constraint.
    Any,
    Unique,
    Foreign,
    Check,
}

impl ConstraintType {
    fn of(kind: &ConstraintKind) -> Self {
        match kind {
            ConstraintKind::Unique { .. } => ConstraintType::Unique,
            ConstraintKind::Foreign { .. } => ConstraintType::Foreign,
            ConstraintKind::Check { .. } => ConstraintType::Check,
            _ => ConstraintType::Any,
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Table(name) => write!(f, "table `{name}`"),
            Object::View(name) => write!(f, "view `{name}`"),
            Object::Sequence(name) => write!(f, "sequence `{name}`"),
            Object::Column(table, name) => write!(f, "column `{table}.{name}`"),
            Object::Index(_, name) => write!(f, "index `{name}`"),
            Object::Constraint(table, name, _) => write!(f, "constraint `{name}` of `{table}`"),
            Object::Trigger(_, name) => write!(f, "trigger `{name}`"),
            Object::Partition(table, name) => write!(f, "partition `{name}` of `{table}`"),
            Object::Type(name) => write!(f, "type `{name}`"),
            Object::EnumValue(name, value) => write!(f, "value '{value}' of `{name}`"),
            Object::Function(name) => write!(f, "function `{name}`"),
            Object::Procedure(name) => write!(f, "procedure `{name}`"),
            Object::Schema(name) => write!(f, "schema `{name}`"),
            Object::Extension(name) => write!(f, "extension `{name}`"),
        }
    }
}

/// All effects of a statement on the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effects {
    /// Exactly these effects. A second run of the statement would fail or change nothing. The list is empty if each part of the
    /// statement only sets a value that a second run would set again.
    Known(Vec<Effect>),
    /// The effects cannot be determined.
    Unknown,
}

/// Determines the effects of a statement.
pub fn read(sql: &str, dialect: Dialect) -> Effects {
    match effects(&reader::read(sql, dialect), sql, dialect) {
        Some(effects) => Effects::Known(effects),
        None => Effects::Unknown,
    }
}

/// The tables in a DDL statement that it must lock, as far as this can be determined: those that it alters, indexes or drops,
/// and those that it references.
pub fn locked_tables(sql: &str, dialect: Dialect) -> Vec<Name> {
    locked_tables_of(&reader::read(sql, dialect))
}

/// The same for a parsed statement.
pub fn locked_tables_of(syntax: &Syntax) -> Vec<Name> {
    match syntax {
        Syntax::CreateTable(table) => referenced(table).chain(table.partition_of.clone()).collect(),
        Syntax::AlterTable(alter) => {
            let referenced = alter.actions.iter().filter_map(|action| match &action.kind {
                ActionKind::AddColumn { column, .. } => column.references.as_ref().map(|reference| reference.table.clone()),
                ActionKind::AddConstraint(constraint) => parent(&constraint.kind).cloned(),
                ActionKind::Attach { partition, .. } | ActionKind::Detach { partition, .. } => Some(partition.clone()),
                _ => None,
            });
            [alter.table.clone()].into_iter().chain(referenced).collect()
        }
        Syntax::CreateIndex(index) => vec![index.table.clone()],
        Syntax::RenameTrigger { table, .. } => vec![table.clone()],
        Syntax::CreateTrigger { table, .. } | Syntax::Policy { table } | Syntax::Comment { table } => {
            table.iter().cloned().collect()
        }
        Syntax::Drop(drop) => match drop.kind {
            ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView => drop.names.clone(),
            _ => drop.table.iter().cloned().collect(),
        },
        Syntax::RenameTables(renames) => renames.iter().map(|(from, _)| from.clone()).collect(),
        Syntax::Truncate { tables, .. }
        | Syntax::Lock { tables, .. }
        | Syntax::Optimize { tables }
        | Syntax::Vacuum { tables, .. } => tables.clone(),
        Syntax::Refresh { view, .. } => vec![view.clone()],
        Syntax::Cluster { table } => table.iter().cloned().collect(),
        Syntax::Reindex { target, name, .. } if target == "TABLE" => name.iter().cloned().collect(),
        _ => Vec::new(),
    }
}

fn parent(kind: &ConstraintKind) -> Option<&Name> {
    match kind {
        ConstraintKind::Foreign { references, .. } => Some(&references.table),
        _ => None,
    }
}

fn referenced(table: &CreateTable) -> impl Iterator<Item = Name> + '_ {
    let columns = table.columns.iter().filter_map(|column| column.references.as_ref().map(|reference| &reference.table));
    columns.chain(table.constraints.iter().filter_map(|constraint| parent(&constraint.kind))).cloned()
}

fn creates(object: Object) -> Effect {
    Effect { verb: Verb::Creates, object }
}

fn drops(object: Object) -> Effect {
    Effect { verb: Verb::Drops, object }
}

fn effects(syntax: &Syntax, sql: &str, dialect: Dialect) -> Option<Vec<Effect>> {
    let created = |object: Object| Some(vec![creates(object)]);
    match syntax {
        // With OR REPLACE the object may exist before, and a temporary object ends with the session: its presence proves nothing.
        Syntax::CreateTable(table) if table.temporary || table.or_replace => None,
        // MySQL fills a table from a query in a separate step.
        Syntax::CreateTable(table) if table.as_query && dialect == Dialect::MySql => None,
        Syntax::CreateTable(table) => created(Object::Table(table.name.clone()?)),
        Syntax::CreateIndex(index) if index.or_replace => None,
        // Without a name, the database generates one.
        Syntax::CreateIndex(index) => created(Object::Index(Some(index.table.clone()), index.name.clone()?)),
        Syntax::CreateView(view) if view.or_replace || view.temporary => None,
        Syntax::CreateView(view) => created(Object::View(view.name.clone())),
        Syntax::CreateType { name, .. } | Syntax::CreateDomain { name, .. } => created(Object::Type(name.clone())),
        Syntax::CreateTrigger { or_replace: true, .. } | Syntax::CreateTrigger { temporary: true, .. } => None,
        Syntax::CreateTrigger { name, table, .. } => created(Object::Trigger(table.clone(), name.clone())),
        // Two functions can have the same name and different arguments.
        Syntax::CreateRoutine { or_replace: true, .. } => None,
        Syntax::CreateRoutine { .. } if dialect == Dialect::Postgres => None,
        // A loadable function of MySQL is not in `information_schema`.
        Syntax::CreateRoutine { .. } if Tokens::new(sql, dialect).any(|token| token.is_word(sql, "SONAME")) => None,
        Syntax::CreateRoutine { name, .. } => created(routine(name, sql, dialect)),
        Syntax::Create { or_replace: true, .. } => None,
        // A database of PostgreSQL is not a schema.
        Syntax::Create { kind: ObjectKind::Database, .. } if dialect == Dialect::Postgres => None,
        Syntax::Drop(drop) if drop.kind == ObjectKind::Database && dialect == Dialect::Postgres => None,
        Syntax::Create { kind, name, .. } => created(object(*kind, name, None)?),
        Syntax::Drop(drop) if drop.kind == ObjectKind::Routine => {
            // Two functions of PostgreSQL can have the same name.
            let dropped = || drop.names.iter().map(|name| drops(routine(name, sql, dialect))).collect();
            (dialect != Dialect::Postgres).then(dropped)
        }
        Syntax::Drop(drop) => dropped(drop),
        Syntax::AlterTable(alter) => match new_name(alter).filter(|_| alter.actions.len() > 1) {
            Some(to) => altered_and_renamed(alter, to, dialect),
            None => altered(alter, dialect),
        },
        Syntax::AlterType { name, action: TypeAction::AddValue { label, .. } } => {
            created(Object::EnumValue(name.clone(), label.clone()))
        }
        Syntax::RenameTables(renames) => {
            // `a TO tmp, b TO a, tmp TO b`: the same tables exist before and after.
            let swaps = renames.iter().any(|(_, to)| renames.iter().any(|(from, _)| from == to));
            let effects =
                renames.iter().flat_map(|(from, to)| [drops(Object::Table(from.clone())), creates(Object::Table(to.clone()))]);
            (!swaps).then(|| effects.collect())
        }
        _ => None,
    }
}

fn object(kind: ObjectKind, name: &Name, table: Option<&Name>) -> Option<Object> {
    Some(match kind {
        ObjectKind::Table => Object::Table(name.clone()),
        ObjectKind::View | ObjectKind::MaterializedView => Object::View(name.clone()),
        ObjectKind::Index => Object::Index(table.cloned(), name.clone()),
        ObjectKind::Sequence => Object::Sequence(name.clone()),
        ObjectKind::Type | ObjectKind::Domain => Object::Type(name.clone()),
        ObjectKind::Routine => return None,
        ObjectKind::Trigger => Object::Trigger(table.cloned(), name.clone()),
        ObjectKind::Schema => Object::Schema(name.name.clone()),
        ObjectKind::Database => Object::Schema(name.name.clone()),
        ObjectKind::Extension => Object::Extension(name.name.clone()),
    })
}

/// A function or a procedure: the first of these words of the statement says which. Both can have the same name.
fn routine(name: &Name, sql: &str, dialect: Dialect) -> Object {
    let mut tokens = Tokens::new(sql, dialect);
    let kind = tokens.find(|token| token.is_word(sql, "FUNCTION") || token.is_word(sql, "PROCEDURE"));
    if kind.is_some_and(|token| token.is_word(sql, "PROCEDURE")) {
        Object::Procedure(name.clone())
    } else {
        Object::Function(name.clone())
    }
}

fn dropped(drop: &DropStatement) -> Option<Vec<Effect>> {
    if drop.temporary {
        return None;
    }
    drop.names.iter().map(|name| object(drop.kind, name, drop.table.as_ref()).map(drops)).collect()
}

/// Does the constraint get the name that the statement gives it? A primary key of MySQL does not.
fn keeps_name(kind: &ConstraintKind, dialect: Dialect) -> bool {
    dialect != Dialect::MySql || !matches!(kind, ConstraintKind::Primary { .. })
}

fn altered(alter: &AlterTable, dialect: Dialect) -> Option<Vec<Effect>> {
    let table = &alter.table;
    let mut effects = Vec::new();
    for action in &alter.actions {
        let column = |name: &String| Object::Column(table.clone(), name.clone());
        let of_type = |name: &String, ty| Object::Constraint(table.clone(), name.clone(), ty);
        let constraint = |name: &String| of_type(name, ConstraintType::Any);
        let index = |name: &String| Object::Index(Some(table.clone()), table.beside(name.clone()));
        match &action.kind {
            ActionKind::AddColumn { column: added, .. }
                if alter.actions.iter().filter(|other| other.range == action.range).count() == 1 =>
            {
                effects.push(creates(column(&added.name)));
            }
            ActionKind::AddConstraint(added) if !keeps_name(&added.kind, dialect) => return None,
            ActionKind::AddConstraint(added) => {
                let name = added.name.as_ref()?;
                // On MySQL, a unique key without the word `CONSTRAINT` is only an index.
                effects.push(creates(of_type(name, ConstraintType::of(&added.kind))));
            }
            ActionKind::AddIndex(added) => effects.push(creates(index(&added.name.as_ref()?.name))),
            ActionKind::DropColumn { name, .. } => effects.push(drops(column(name))),
            ActionKind::DropConstraint { name, .. } => effects.push(drops(constraint(name))),
            ActionKind::DropForeignKey(name) => effects.push(drops(of_type(name, ConstraintType::Foreign))),
            ActionKind::DropIndex(name) => effects.push(drops(index(name))),
            ActionKind::Validate(name) => effects.push(Effect { verb: Verb::Validates, object: constraint(name) }),
            // A second run would add a second key.
            ActionKind::ModifyColumn(column) | ActionKind::ChangeColumn { column, .. } if column.unique || column.primary => {
                return None;
            }
            ActionKind::ChangeColumn { from, column: to } if from.eq_ignore_ascii_case(&to.name) => {}
            ActionKind::ChangeColumn { from, column: to } => effects.extend([drops(column(from)), creates(column(&to.name))]),
            ActionKind::Rename(_) => {
                effects.push(drops(Object::Table(table.clone())));
                effects.extend(new_name(alter).map(|to| creates(Object::Table(to))));
            }
            ActionKind::RenameColumn { from, to } => effects.extend([drops(column(from)), creates(column(to))]),
            ActionKind::RenameConstraint { from, to } => effects.extend([drops(constraint(from)), creates(constraint(to))]),
            ActionKind::RenameIndex { from, to } => effects.extend([drops(index(from)), creates(index(to))]),
            ActionKind::Detach { partition, concurrently: true, .. } => {
                effects.push(drops(Object::Partition(table.clone(), partition.clone())));
            }
            // A second run changes nothing.
            ActionKind::SetType { using: None, .. }
            | ActionKind::SetDefault { .. }
            | ActionKind::DropDefault(_)
            | ActionKind::SetNotNull(_)
            | ActionKind::DropNotNull(_)
            | ActionKind::ModifyColumn(_)
            | ActionKind::Engine(_)
            | ActionKind::Rebuild
            | ActionKind::ConvertCharset { .. }
            | ActionKind::Description => {}
            _ => return None,
        }
    }
    Some(effects)
}

/// The name that `RENAME TO` gives the table.
fn new_name(alter: &AlterTable) -> Option<Name> {
    alter.actions.iter().find_map(|action| match &action.kind {
        ActionKind::Rename(to) => {
            Some(Name { schema: to.schema.clone().or_else(|| alter.table.schema.clone()), name: to.name.clone() })
        }
        _ => None,
    })
}

/// The effects of an `ALTER TABLE` of MySQL that also renames the table: what it creates is in the table with the new name.
fn altered_and_renamed(alter: &AlterTable, to: Name, dialect: Dialect) -> Option<Vec<Effect>> {
    let is_rename = |action: &&Action| matches!(action.kind, ActionKind::Rename(_));
    let rest = alter.actions.iter().filter(|action| !is_rename(action)).cloned().collect();
    let rest = AlterTable { actions: rest, ..alter.clone() };
    let mut effects = altered(&rest, dialect)?;
    let creates_in = |effect: &mut Effect| match &mut effect.object {
        Object::Column(table, _) | Object::Constraint(table, ..) | Object::Index(Some(table), _) => *table = to.clone(),
        _ => {}
    };
    effects.iter_mut().filter(|effect| effect.verb == Verb::Creates).for_each(creates_in);
    effects.extend([drops(Object::Table(alter.table.clone())), creates(Object::Table(to.clone()))]);
    Some(effects)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(dialect: Dialect, sql: &str) -> String {
        match read(sql, dialect) {
            Effects::Unknown => "opaque".to_owned(),
            Effects::Known(effects) => {
                let sign = |verb| match verb {
                    Verb::Creates => '+',
                    Verb::Drops => '-',
                    Verb::Validates => '!',
                };
                let effects: Vec<String> =
                    effects.iter().map(|effect| format!("{}{}", sign(effect.verb), effect.object)).collect();
                effects.join(", ")
            }
        }
    }

    #[test]
    fn postgres() {
        for (sql, effects) in [
            ("CREATE TABLE IF NOT EXISTS App.\"Users\" (id int)", "+table `app.Users`"),
            ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.t (a)", "+index `i`"),
            ("CREATE INDEX CONCURRENTLY ON t (a)", "opaque"),
            ("DROP INDEX CONCURRENTLY IF EXISTS s.i, j CASCADE", "-index `s.i`, -index `j`"),
            ("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'it''s' AFTER 'ok'", "+value 'it's' of `mood`"),
            ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", "opaque"),
            ("ALTER TABLE t ADD a int DEFAULT f(1, 2), DROP COLUMN IF EXISTS b", "+column `t.a`, -column `t.b`"),
            ("ALTER TABLE ONLY t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", "+constraint `c` of `t`"),
            ("ALTER TABLE t VALIDATE CONSTRAINT c", "!constraint `c` of `t`"),
            ("ALTER TABLE s.t RENAME TO u", "-table `s.t`, +table `s.u`"),
            ("ALTER TABLE t RENAME a TO b", "-column `t.a`, +column `t.b`"),
            ("ALTER TABLE t ALTER a SET NOT NULL", ""),
            ("ALTER TABLE t ALTER a TYPE text USING a || 'x'", "opaque"),
            ("ALTER TABLE t ADD CHECK (a > 0)", "opaque"),
            ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", "-partition `p` of `t`"),
            ("CREATE MATERIALIZED VIEW v AS SELECT 1", "+view `v`"),
            ("CREATE OR REPLACE VIEW v AS SELECT 1", "opaque"),
            ("CREATE FUNCTION f(a int) RETURNS int AS 'x' LANGUAGE sql", "opaque"),
            ("CREATE TRIGGER g BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION f()", "+trigger `g`"),
            ("CREATE TEMP TABLE t (a int)", "opaque"),
            ("CREATE TYPE e AS ENUM ('a')", "+type `e`"),
            ("CREATE SCHEMA IF NOT EXISTS app", "+schema `app`"),
            ("CREATE EXTENSION \"uuid-ossp\"", "+extension `uuid-ossp`"),
            ("INSERT INTO t VALUES (1)", "opaque"),
            ("", "opaque"),
            ("ALTER TABLE", "opaque"),
            ("CREATE", "opaque"),
        ] {
            assert_eq!(summary(Dialect::Postgres, sql), effects, "{sql}");
        }
    }

    #[test]
    fn mysql() {
        for (sql, effects) in [
            ("CREATE TABLE `My``Table` (a int)", "+table `My`Table`"),
            ("CREATE TABLE t AS SELECT 1", "opaque"),
            ("CREATE OR REPLACE INDEX i ON t (a)", "opaque"),
            ("CREATE DEFINER=`root`@`%` TRIGGER g AFTER INSERT ON t FOR EACH ROW SET @a = 1", "+trigger `g`"),
            ("CREATE PROCEDURE p() SELECT 1", "+procedure `p`"),
            ("CREATE ALGORITHM = MERGE SQL SECURITY INVOKER VIEW v AS SELECT 1", "+view `v`"),
            ("ALTER TABLE t ADD COLUMN (a int, b int)", "opaque"),
            ("ALTER TABLE t ADD UNIQUE KEY k (a), ADD INDEX (b)", "opaque"),
            ("ALTER TABLE t ADD UNIQUE KEY k (a), ALGORITHM=INPLACE, LOCK=NONE", "+index `k`"),
            ("ALTER TABLE t ADD FULLTEXT INDEX IF NOT EXISTS k (a)", "+index `k`"),
            ("ALTER TABLE t MODIFY a bigint NOT NULL, ENGINE = InnoDB", ""),
            ("ALTER TABLE t CHANGE a b int", "-column `t.a`, +column `t.b`"),
            ("ALTER TABLE t CHANGE COLUMN a A bigint", ""),
            ("ALTER TABLE t RENAME TO u, ADD c int, DROP d", "+column `u.c`, -column `t.d`, -table `t`, +table `u`"),
            ("ALTER TABLE t ADD CONSTRAINT c UNIQUE KEY k (a)", "+constraint `k` of `t`"),
            ("ALTER TABLE t MODIFY a int SERIAL DEFAULT VALUE", "opaque"),
            ("ALTER TABLE t DROP PERIOD FOR vt", "opaque"),
            ("ALTER TABLE t ADD VECTOR INDEX v (e)", "+index `v`"),
            ("ALTER TABLE t ADD vector int", "+column `t.vector`"),
            ("CREATE FUNCTION f RETURNS STRING SONAME 'f.so'", "opaque"),
            ("ALTER TABLE t DROP FOREIGN KEY f, DROP KEY k", "-constraint `f` of `t`, -index `k`"),
            ("ALTER TABLE t DROP PRIMARY KEY", "opaque"),
            ("DROP INDEX i ON t", "-index `i`"),
            ("DROP TABLE IF EXISTS a, b", "-table `a`, -table `b`"),
            ("RENAME TABLE a TO b, c TO d", "-table `a`, +table `b`, -table `c`, +table `d`"),
            ("RENAME TABLE a TO x, b TO a, x TO b", "opaque"),
            ("CREATE USER u", "opaque"),
            ("CALL p()", "opaque"),
        ] {
            assert_eq!(summary(Dialect::MySql, sql), effects, "{sql}");
        }
    }

    #[test]
    fn tables_that_are_locked() {
        for (sql, expected) in [
            ("ALTER TABLE IF EXISTS ONLY s.t ADD a int REFERENCES u (id)", &["s.t", "u"][..]),
            ("CREATE INDEX i ON t (a)", &["t"]),
            ("CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES s.\"U\" (id))", &["s.U"]),
            ("CREATE TABLE t (a int)", &[]),
            ("TRUNCATE TABLE a, b", &["a", "b"]),
            ("DROP TABLE a, b", &["a", "b"]),
            ("UPDATE t SET a = 1", &[]),
        ] {
            let tables: Vec<String> = locked_tables(sql, Dialect::Postgres).iter().map(Name::to_string).collect();
            assert_eq!(tables, expected, "{sql}");
        }
    }

    proptest::proptest! {
        /// Random input never causes a panic.
        #[test]
        fn nothing_panics(words in proptest::collection::vec(
            proptest::sample::select(vec![
                "CREATE", "ALTER", "DROP", "TABLE", "INDEX", "ADD", "COLUMN", "a", "\"b\"", "`c`", "'d'", ",", "(", ")", ".", "IF", "NOT",
                "EXISTS", "TO", "RENAME", "ON", "TYPE", "VALUE", "CHANGE", "OR", "REPLACE", "TRIGGER", "DEFINER", ";", "--x\n", "é",
            ]),
            0..12,
        )) {
            for dialect in Dialect::ALL {
                let _ = (read(&words.join(" "), dialect), locked_tables(&words.join(" "), dialect));
            }
        }
    }
}
