//! The impacts on MySQL and MariaDB. MariaDB: measured on 10.11.19. MySQL: manual 8.4, 17.12.1 "Online DDL Operations".

use super::characters::{CharsetChange, characters, converted};
use super::{Algorithm, Cause, Impact, ImpactContext, Lock, OnlineDdl};
use crate::object_name::ObjectName;
use crate::relation::{self, Relation};
use crate::schema::Schema;
use crate::server::Product;
use migrate_model::syntax::{ActionKind, AlterTable, Column, ConstraintKind, CreateIndex, Generated, ObjectKind, Syntax, Type};

const INSTANT: OnlineDdl = OnlineDdl { algorithm: Algorithm::Instant, allows_writes: true };
const NOCOPY: OnlineDdl = OnlineDdl { algorithm: Algorithm::NoCopy, allows_writes: true };
const INPLACE: OnlineDdl = OnlineDdl { algorithm: Algorithm::Inplace, allows_writes: true };
const INPLACE_SHARED: OnlineDdl = OnlineDdl { algorithm: Algorithm::Inplace, allows_writes: false };
const COPY: OnlineDdl = OnlineDdl { algorithm: Algorithm::Copy, allows_writes: false };

pub fn impacts(schema: &Schema, syntax: &Syntax, sql: &str, context: ImpactContext) -> Vec<Impact> {
    let exclusive = |name, cause| vec![Impact::new(schema.resolve(name), Lock::AccessExclusive, cause)];
    match syntax {
        Syntax::AlterTable(alter) => alter_table(schema, alter, sql, context),
        Syntax::CreateIndex(index) => {
            let (online, what) = add_index(context, index);
            vec![impact(schema.resolve(&index.table), online, what)]
        }
        Syntax::Drop(removal) => match (removal.kind, &removal.table) {
            (ObjectKind::Index, Some(table)) => {
                vec![impact(schema.resolve(table), drop_index(context), INDEX_DROPPED)]
            }
            (ObjectKind::Table, _) if !removal.temporary => {
                removal.names.iter().flat_map(|name| exclusive(name, Cause::DropTable)).collect()
            }
            _ => Vec::new(),
        },
        Syntax::RenameTables(renames) => renames.iter().flat_map(|(from, _)| exclusive(from, Cause::Catalogue)).collect(),
        Syntax::Truncate { tables, .. } => tables.iter().flat_map(|table| exclusive(table, Cause::Truncate)).collect(),
        Syntax::Optimize { tables } => tables.iter().map(|table| impact(schema.resolve(table), INPLACE, TABLE_REBUILT)).collect(),
        Syntax::Lock { tables, mode } if mode.as_deref() == Some("WRITE") => {
            tables.iter().flat_map(|table| exclusive(table, Cause::LockTable)).collect()
        }
        Syntax::CreateTrigger { table: Some(table), .. } => exclusive(table, Cause::Trigger),
        Syntax::Update(change) | Syntax::Delete(change) => {
            let impact = Impact::new(schema.resolve(&change.table), Lock::RowExclusive, Cause::Rows);
            vec![if change.narrow { impact } else { impact.scanning() }]
        }
        Syntax::Insert(insert) => {
            let impact = Impact::new(schema.resolve(&insert.table), Lock::RowExclusive, Cause::Rows);
            vec![if insert.reads_table { impact.scanning() } else { impact }]
        }
        _ => Vec::new(),
    }
}

const CONVERTED: &str = "the character set of the whole table is converted";
const DEFINITION_ONLY: &str = "only the table definition changes";
const INDEX_DROPPED: &str = "an index is dropped";
const PARTITION_CHANGED: &str = "a partition is added or removed";
const TABLE_REBUILT: &str = "the table is rebuilt";
const PRIMARY_KEY_ADDED: &str = "a primary key is added, and the table is rebuilt in its order";
const NULLABILITY_CHANGED: &str = "a column becomes nullable or NOT NULL";
const KEY_COLUMN_ADDED: &str = "a column is added with an index";
const COLUMN_LENGTHENED: &str = "a column becomes longer, and becomes nullable or NOT NULL";
const COLUMN_MOVED: &str = "a column is moved to another position";

/// Changes that take no time with any algorithm.
const QUICK: [&str; 3] = [INDEX_DROPPED, DEFINITION_ONLY, PARTITION_CHANGED];

/// Changes that rebuild the table.
const REBUILDS: [&str; 6] =
    [TABLE_REBUILT, PRIMARY_KEY_ADDED, NULLABILITY_CHANGED, KEY_COLUMN_ADDED, COLUMN_LENGTHENED, COLUMN_MOVED];

fn impact(table: ObjectName, online: OnlineDdl, what: &'static str) -> Impact {
    // At its start and end, every algorithm waits for all transactions that used the table.
    let lock = match (online.algorithm, online.allows_writes) {
        (Algorithm::Instant, _) => Lock::AccessExclusive,
        (_, true) => Lock::ShareUpdateExclusive,
        (_, false) => Lock::Share,
    };
    let impact = Impact::new(table, lock, Cause::Alter(what));
    let impact = match online.algorithm {
        _ if QUICK.contains(&what) => impact,
        Algorithm::Instant => impact,
        Algorithm::NoCopy => impact.building(),
        Algorithm::Inplace => impact.building(),
        Algorithm::Copy => impact.rewriting(),
    };
    Impact { online: Some(online), ..impact }
}

fn add_index(context: ImpactContext, index: &CreateIndex) -> (OnlineDdl, &'static str) {
    match (index.special, context.server.product) {
        (true, _) => (INPLACE_SHARED, "a FULLTEXT or SPATIAL index is built"),
        (false, Product::MariaDb) => (NOCOPY, "an index is built"),
        (false, _) => (INPLACE, "an index is built"),
    }
}

fn drop_index(context: ImpactContext) -> OnlineDdl {
    match context.server.product {
        Product::MariaDb => NOCOPY,
        _ => INPLACE,
    }
}

fn alter_table(schema: &Schema, alter: &AlterTable, sql: &str, context: ImpactContext) -> Vec<Impact> {
    let key = schema.resolve(&alter.table);
    let relation = schema.relation(&key);
    let adds_key = alter.actions.iter().any(|action| {
        matches!(&action.kind, ActionKind::AddConstraint(constraint) if matches!(constraint.kind, ConstraintKind::Primary { .. }))
    });
    let mut impacts = Vec::new();
    for action in &alter.actions {
        let (online, what) = match &action.kind {
            ActionKind::DropPrimaryKey if adds_key => (INPLACE, "the primary key is replaced"),
            ActionKind::DropPrimaryKey => (COPY, "the primary key is dropped"),
            // `IGNORE` deletes the rows one by one.
            _ if alter.ignore => (COPY, "`IGNORE` deletes rows with duplicate keys"),
            _ if alter.algorithm.as_deref() == Some("COPY") => (COPY, "the statement specifies `ALGORITHM=COPY`"),
            kind => match action_cost(relation, kind, &sql[action.range.clone()], sql, context) {
                Some(cost) => combined(relation, alter, kind, cost, context),
                None => continue,
            },
        };
        impacts.push(impact(key.clone(), online, what).at(&action.range));
        let parent = match &action.kind {
            ActionKind::AddConstraint(constraint) => match &constraint.kind {
                ConstraintKind::Foreign { references, .. } => Some(schema.resolve(&references.table)),
                _ => None,
            },
            _ => None,
        };
        if let Some(parent) = parent.filter(|parent| *parent != key) {
            impacts.push(Impact::new(parent, Lock::Share, Cause::ForeignKey).at(&action.range));
        }
    }
    impacts
}

/// The cost of a clause in this table, together with the other clauses of the statement.
fn combined(
    relation: Option<&Relation>,
    alter: &AlterTable,
    action: &ActionKind,
    (online, what): (OnlineDdl, &'static str),
    context: ImpactContext,
) -> (OnlineDdl, &'static str) {
    let mariadb = context.server.product == Product::MariaDb;
    let has = |is: fn(&Relation) -> bool| relation.is_some_and(is);
    let fulltext = has(|relation| relation.indexes.iter().any(|index| index.fulltext));
    let indexed_virtual =
        mariadb && has(|relation| relation.columns.iter().any(|column| column.is_virtual && relation.is_indexed(&column.name)));
    if has(|relation| relation.engine.as_deref().is_some_and(|engine| engine != "innodb")) && what != DEFINITION_ONLY {
        return (COPY, "a table that does not use InnoDB is altered");
    }
    let is_virtual = |name: &str| relation.and_then(|relation| relation.column(name)).is_some_and(|column| column.is_virtual);
    let moves_columns = match action {
        ActionKind::AddColumn { column, .. } => column.generated.is_none(),
        ActionKind::DropColumn { name, .. } => !is_virtual(name),
        _ => false,
    };
    match online {
        INSTANT if moves_columns => {
            let drops = matches!(action, ActionKind::DropColumn { .. });
            // INSTANT requires that no other clause needs another algorithm; only MariaDB allows `DROP INDEX` with it.
            let others_allow_instant = alter.actions.iter().all(|clause| match &clause.kind {
                ActionKind::AddIndex(_) | ActionKind::AddConstraint(_) | ActionKind::Rebuild | ActionKind::Engine(_) => false,
                ActionKind::DropIndex(_) => mariadb,
                ActionKind::AddColumn { column, .. } => !column.unique && !column.identity,
                ActionKind::ModifyColumn(column) => keeps_null(relation, &column.name, column),
                ActionKind::ChangeColumn { from, column } => keeps_null(relation, from, column),
                _ => true,
            });
            if indexed_virtual && drops {
                (COPY, "a column is dropped from a table with an indexed virtual column")
            } else if indexed_virtual {
                (INPLACE_SHARED, "a column is added to a table with an indexed virtual column")
            } else if fulltext {
                (INPLACE_SHARED, "a column is added to or dropped from a table with a FULLTEXT index")
            } else if has(|relation| relation.compressed) {
                (INPLACE, "a column is added to or dropped from a compressed table")
            } else if !others_allow_instant {
                (INPLACE, "another clause prevents INSTANT, and the table is rebuilt")
            } else {
                (online, what)
            }
        }
        INPLACE
            if REBUILDS.contains(&what) && indexed_virtual && !matches!(action, ActionKind::Rebuild | ActionKind::Engine(_)) =>
        {
            (COPY, "a table with an indexed virtual column is rebuilt")
        }
        INPLACE if REBUILDS.contains(&what) && (fulltext || indexed_virtual || mariadb && has(has_spatial)) => {
            (INPLACE_SHARED, "a table with a FULLTEXT, SPATIAL or virtual column index is rebuilt")
        }
        NOCOPY | INPLACE if adds_index_over_new_virtual(alter, action) && mariadb => {
            (INPLACE_SHARED, "a virtual column and an index on it are added together")
        }
        _ => (online, what),
    }
}

fn has_spatial(relation: &Relation) -> bool {
    relation.indexes.iter().any(|index| index.partial_or_expression)
}

/// Whether the new definition leaves the nullability of the column unchanged.
fn keeps_null(relation: Option<&Relation>, from: &str, column: &Column) -> bool {
    let is_key =
        |relation: &Relation| relation.primary().is_some_and(|key| key.iter().any(|name| name.eq_ignore_ascii_case(from)));
    let keeps = |before: &relation::Column| before.not_null == column.not_null;
    // Columns of the primary key are NOT NULL in any case.
    relation.is_none_or(|relation| is_key(relation) || relation.column(from).is_none_or(keeps))
}

fn adds_index_over_new_virtual(alter: &AlterTable, action: &ActionKind) -> bool {
    let columns = match action {
        ActionKind::AddIndex(index) => &index.columns,
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::Unique { columns, .. } => columns,
            _ => return false,
        },
        _ => return false,
    };
    alter.actions.iter().any(|clause| match &clause.kind {
        ActionKind::AddColumn { column, .. } => {
            let is_virtual = matches!(column.generated, Some(Generated::Virtual | Generated::Unsaid));
            is_virtual && columns.iter().any(|name| name.eq_ignore_ascii_case(&column.name))
        }
        _ => false,
    })
}

/// The cost of a clause alone. `None` if the clause could not be parsed.
fn action_cost(
    relation: Option<&Relation>,
    action: &ActionKind,
    clause: &str,
    sql: &str,
    context: ImpactContext,
) -> Option<(OnlineDdl, &'static str)> {
    let mariadb = context.server.product == Product::MariaDb;
    let words: Vec<String> =
        clause.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_ascii_uppercase).collect();
    let begins = |expected: &[&str]| words.iter().map(String::as_str).take(expected.len()).eq(expected.iter().copied());
    Some(match action {
        ActionKind::AddColumn { column, .. } => add_column(relation, column, sql, context),
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::Check(_) => (COPY, "a CHECK is added, and every row is copied to check it"),
            ConstraintKind::Foreign { .. } if context.foreign_keys_unchecked => {
                (if mariadb { NOCOPY } else { INPLACE }, "a foreign key is added without checking existing rows")
            }
            ConstraintKind::Foreign { .. } => (COPY, "a foreign key is added, and every row is copied to check it"),
            ConstraintKind::Primary { .. } => (INPLACE, PRIMARY_KEY_ADDED),
            _ => (if mariadb { NOCOPY } else { INPLACE }, "a unique index is built"),
        },
        ActionKind::AddIndex(index) => add_index(context, index),
        ActionKind::DropIndex(_) => (drop_index(context), INDEX_DROPPED),
        ActionKind::DropColumn { name, .. } if relation.is_some_and(|relation| relation.is_indexed(name)) => {
            (if mariadb { NOCOPY } else { INPLACE }, "a column is dropped with its indexes")
        }
        ActionKind::DropColumn { .. } if mariadb || context.server.is_at_least(8, 0) => (INSTANT, "a column is dropped"),
        ActionKind::DropColumn { .. } => (INPLACE, "a column is dropped, and the table is rebuilt"),
        ActionKind::ModifyColumn(column) => redefine(relation, &column.name, column, context),
        ActionKind::ChangeColumn { from, column } => redefine(relation, from, column, context),
        ActionKind::Rebuild if begins(&["ORDER"]) => (COPY, "the rows are reordered"),
        ActionKind::Engine(engine) if engine != "innodb" => (COPY, "the storage engine changes"),
        ActionKind::Engine(_) | ActionKind::Rebuild => (INPLACE, TABLE_REBUILT),
        ActionKind::ConvertCharset { charset: Some(charset), collation } if mariadb => {
            let relation = relation.filter(|relation| relation.columns_known);
            match relation.and_then(|relation| converted(relation, charset, collation.as_deref())) {
                None | Some(CharsetChange::Other) => (COPY, CONVERTED),
                Some(change) => cost(change),
            }
        }
        ActionKind::ConvertCharset { .. } => (COPY, CONVERTED),
        ActionKind::Partitioning
            if begins(&["PARTITION"]) || begins(&["REORGANIZE"]) || begins(&["COALESCE"]) || begins(&["REMOVE"]) =>
        {
            (COPY, "the rows are redistributed among partitions")
        }
        ActionKind::Partitioning => (INPLACE, PARTITION_CHANGED),
        ActionKind::SystemVersioning => (COPY, "system versioning is added"),
        ActionKind::Opaque => return None,
        // MySQL supports INSTANT for fewer changes. (Manual 8.4, 17.12.1)
        ActionKind::RenameIndex { .. }
        | ActionKind::DropForeignKey(_)
        | ActionKind::DropConstraint { .. }
        | ActionKind::Description
            if !mariadb =>
        {
            (INPLACE, DEFINITION_ONLY)
        }
        _ => (INSTANT, DEFINITION_ONLY),
    })
}

fn add_column(relation: Option<&Relation>, column: &Column, sql: &str, context: ImpactContext) -> (OnlineDdl, &'static str) {
    let mariadb = context.server.product == Product::MariaDb;
    if column.identity {
        return (INPLACE_SHARED, "an AUTO_INCREMENT column is added");
    }
    if column.generated == Some(Generated::Stored) {
        return (COPY, "a stored generated column is added and computed for every row");
    }
    if mariadb && column.references.is_some() && !context.foreign_keys_unchecked {
        return (COPY, "a column with a foreign key is added");
    }
    if !mariadb && !column.checks.is_empty() {
        return (COPY, "a column with a CHECK is added");
    }
    let default = column.default.as_ref().map(|default| sql[default.clone()].trim().to_ascii_lowercase());
    let literal = |default: &str| {
        let inner = default.trim_matches(['(', ')', ' ']);
        inner.starts_with('\'') && inner.matches('\'').count() == 2
            || !inner.contains(|c: char| c.is_ascii_alphabetic())
            || matches!(inner, "null" | "true" | "false" | "now" | "current_timestamp")
    };
    // MariaDB allows a call without parentheses, and evaluates an empty JSON document only once.
    let calls = |default: &str| {
        let now = ["now(", "current_timestamp(", "localtime(", "localtimestamp(", "curdate(", "current_date("];
        let document = ["(json_object())", "(json_array())", "json_object()", "json_array()"].contains(&default);
        default.contains('(') && !now.iter().any(|call| default.starts_with(call)) && !document
    };
    let is_expression = default.as_deref().is_some_and(|default| {
        let has_expression_syntax = if mariadb { calls(default) } else { default.starts_with('(') };
        has_expression_syntax && !literal(default)
    });
    // MariaDB evaluates `rand()` once and assigns the value to all rows.
    if is_expression && !(mariadb && default.as_deref().is_some_and(|default| default.contains("rand()"))) {
        return (COPY, "a column with a computed default is added");
    }
    if column.unique || column.primary {
        return (INPLACE, KEY_COLUMN_ADDED);
    }
    let has_virtual = relation.is_some_and(|relation| relation.columns.iter().any(|column| column.is_virtual));
    if mariadb && column.placed && has_virtual {
        return (COPY, "a column is added with FIRST or AFTER to a table with a virtual column");
    }
    if !mariadb && column.placed && !context.server.is_at_least(8, 0) {
        return (INPLACE, "a column is added with FIRST or AFTER");
    }
    (INSTANT, "a column is added")
}

/// The maximum number of bytes per character. Newer servers default to utf8mb4, which takes 4.
fn width(ty: &Type, table: Option<&str>) -> u32 {
    if matches!(ty.name.as_str(), "varbinary" | "binary") {
        return 1;
    }
    match ty.charset.as_deref().or(table) {
        Some("latin1" | "ascii" | "binary") => 1,
        Some("utf8" | "utf8mb3") => 3,
        _ => 4,
    }
}

fn cost(characters: CharsetChange) -> (OnlineDdl, &'static str) {
    match characters {
        CharsetChange::Same | CharsetChange::Longer => (INSTANT, DEFINITION_ONLY),
        CharsetChange::Reordered => (NOCOPY, "the collation of a column changes, and its indexes are rebuilt"),
        CharsetChange::Resorted => (COPY, "the collation of the primary key changes"),
        CharsetChange::Other => (COPY, "the type of a column changes"),
    }
}

fn redefine(relation: Option<&Relation>, from: &str, column: &Column, context: ImpactContext) -> (OnlineDdl, &'static str) {
    let mariadb = context.server.product == Product::MariaDb;
    let Some(before) = relation.and_then(|relation| relation.column(from)) else {
        return (COPY, "the definition of a column changes, and its current type is unknown");
    };
    let (Some(old), Some(new)) = (&before.ty, &column.ty) else {
        return (COPY, "the definition of a column changes, and its type is unknown");
    };
    let keeps_null = keeps_null(relation, from, column);
    if before.generated || column.generated.is_some() {
        let stays_virtual = before.is_virtual && column.generated == Some(Generated::Virtual);
        return if mariadb && stays_virtual {
            (INSTANT, "the definition of a virtual column changes")
        } else {
            (COPY, "the type or expression of a generated column changes")
        };
    }
    if let Some(relation) = relation.filter(|_| mariadb)
        && let Some(characters) = characters(relation, from, old, new)
    {
        return match characters {
            CharsetChange::Same | CharsetChange::Longer if !keeps_null => (INPLACE, NULLABILITY_CHANGED),
            change => cost(change),
        };
    }
    let table = relation.and_then(|relation| relation.charset.as_deref());
    let collates = new.collation.is_some() && new.collation != old.collation && old.charset == new.charset;
    if let Some(relation) = relation.filter(|_| collates && old.name == new.name) {
        if relation.primary().is_some_and(|key| key.iter().any(|name| name.eq_ignore_ascii_case(from))) {
            return (COPY, "the collation of the primary key changes");
        }
        if relation.is_indexed(from) {
            return (if mariadb { NOCOPY } else { COPY }, "the collation of a column changes, and its indexes are rebuilt");
        }
    }
    let kept = same_column_type(old, new, table, mariadb);
    match kept {
        TypeCompatibility::Same if !keeps_null => (INPLACE, NULLABILITY_CHANGED),
        TypeCompatibility::Same if column.identity && !before.has_default => (COPY, "AUTO_INCREMENT is added to a column"),
        TypeCompatibility::Same if column.placed && !mariadb => (INPLACE, COLUMN_MOVED),
        TypeCompatibility::Same | TypeCompatibility::Longer if keeps_null => match (kept, mariadb) {
            (TypeCompatibility::Longer, false) if new.members.is_empty() => (INPLACE, DEFINITION_ONLY),
            _ => (INSTANT, DEFINITION_ONLY),
        },
        TypeCompatibility::Longer => (INPLACE, COLUMN_LENGTHENED),
        _ => (COPY, "the type of a column changes"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TypeCompatibility {
    Same,
    Longer,
    Other,
}

fn same_column_type(old: &Type, new: &Type, table: Option<&str>, mariadb: bool) -> TypeCompatibility {
    // The name of a collation begins with its character set.
    let charset = |ty: &Type| ty.charset.clone().or_else(|| ty.collation.as_deref()?.split('_').next().map(str::to_owned));
    let (old_set, new_set) = (charset(old), charset(new));
    let (old, new) = (&Type { charset: old_set, ..old.clone() }, &Type { charset: new_set, ..new.clone() });
    let charset_changes = new.charset.is_some() && old.charset.is_some() && new.charset != old.charset
        || new.collation.is_some() && old.collation.is_some() && new.collation != old.collation
        || new.charset.is_some() && old.charset.is_none() && new.charset.as_deref() != Some(table.unwrap_or("utf8mb4"))
        // A column without a character set takes that of the table.
        || new.charset.is_none() && old.charset.is_some() && old.charset.as_deref() != table;
    if charset_changes || old.name != new.name || old.unsigned != new.unsigned {
        return TypeCompatibility::Other;
    }
    if matches!(new.name.as_str(), "enum" | "set") {
        // The number of bytes per value must not change.
        let bytes =
            |count: usize| if new.name == "set" { count.div_ceil(8).next_power_of_two() } else { usize::from(count > 255) };
        let appended = new.members.starts_with(&old.members) && bytes(new.members.len()) == bytes(old.members.len());
        return if new.members == old.members {
            TypeCompatibility::Same
        } else if appended {
            TypeCompatibility::Longer
        } else {
            TypeCompatibility::Other
        };
    }
    if old.arguments == new.arguments {
        return TypeCompatibility::Same;
    }
    if let ("varchar" | "varbinary", [before], [after]) = (new.name.as_str(), &*old.arguments, &*new.arguments) {
        let bytes = |length: &u32| length.saturating_mul(width(new, table));
        // A length up to 255 bytes is stored in 1 byte, a larger one in 2.
        // Since 10.4.3, MariaDB reserves both for columns below 128 bytes.
        let reserves_second_byte = mariadb && bytes(before) < 128;
        let same_prefix = (bytes(before) < 256) == (bytes(after) < 256);
        return if after >= before && (same_prefix || reserves_second_byte) {
            TypeCompatibility::Longer
        } else {
            TypeCompatibility::Other
        };
    }
    TypeCompatibility::Other
}
