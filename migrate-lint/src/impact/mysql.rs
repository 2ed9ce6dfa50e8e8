//! MySQL and MariaDB. MariaDB is measured on 10.11.19; MySQL is from its 8.4 manual, 17.12.1 "Online DDL Operations".

use super::characters::{CharsetChange, characters, converted};
use super::{Algorithm, Cause, Impact, ImpactContext, Lock, OnlineDdl};
use crate::object_name::ObjectName;
use crate::relation::{self as schema, Relation};
use crate::schema::Schema;
use crate::server::Product;
use migrate_model::syntax::{ActionKind, AlterTable, Column, ConstraintKind, CreateIndex, Generated, ObjectKind, Syntax, Type};

const INSTANT: OnlineDdl = OnlineDdl { algorithm: Algorithm::Instant, allows_writes: true };
const NOCOPY: OnlineDdl = OnlineDdl { algorithm: Algorithm::NoCopy, allows_writes: true };
const INPLACE: OnlineDdl = OnlineDdl { algorithm: Algorithm::Inplace, allows_writes: true };
const INPLACE_SHARED: OnlineDdl = OnlineDdl { algorithm: Algorithm::Inplace, allows_writes: false };
const COPY: OnlineDdl = OnlineDdl { algorithm: Algorithm::Copy, allows_writes: false };

pub fn impacts(schema: &Schema, syntax: &Syntax, sql: &str, circumstances: ImpactContext) -> Vec<Impact> {
    let exclusive = |name, cause| vec![Impact::new(schema.resolve(name), Lock::AccessExclusive, cause)];
    match syntax {
        Syntax::AlterTable(alter) => alter_table(schema, alter, sql, circumstances),
        Syntax::CreateIndex(index) => {
            let (online, what) = add_index(circumstances, index);
            vec![impact(schema.resolve(&index.table), online, what)]
        }
        Syntax::Drop(removal) => match (removal.kind, &removal.table) {
            (ObjectKind::Index, Some(table)) => {
                vec![impact(schema.resolve(table), drop_index(circumstances), "an index is dropped")]
            }
            (ObjectKind::Table, _) if !removal.temporary => {
                removal.names.iter().flat_map(|name| exclusive(name, Cause::DropTable)).collect()
            }
            _ => Vec::new(),
        },
        Syntax::RenameTables(renames) => renames.iter().flat_map(|(from, _)| exclusive(from, Cause::Catalogue)).collect(),
        Syntax::Truncate { tables, .. } => tables.iter().flat_map(|table| exclusive(table, Cause::Truncate)).collect(),
        Syntax::Optimize { tables } => {
            tables.iter().map(|table| impact(schema.resolve(table), INPLACE, "the table is made anew")).collect()
        }
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

const DESCRIPTION: &str = "only the description changes";

/// Done at once, whatever the algorithm is called.
const QUICK: [&str; 3] = ["an index is dropped", DESCRIPTION, "a partition is added or taken away"];

/// Writes every row anew.
const REBUILDS: [&str; 6] = [
    "the table is made anew",
    "a primary key is added, and the table sorted anew",
    "whether a column may be null changes",
    "a column is added and an index built over it",
    "a column becomes longer, and whether it may be null changes",
    "a column is placed elsewhere",
];

fn impact(table: ObjectName, online: OnlineDdl, what: &'static str) -> Impact {
    // At its beginning and end every one of them waits for all transactions that used the table.
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

fn add_index(circumstances: ImpactContext, index: &CreateIndex) -> (OnlineDdl, &'static str) {
    match (index.special, circumstances.server.product) {
        (true, _) => (INPLACE_SHARED, "a FULLTEXT or SPATIAL index is built"),
        (false, Product::MariaDb) => (NOCOPY, "an index is built"),
        (false, _) => (INPLACE, "an index is built"),
    }
}

fn drop_index(circumstances: ImpactContext) -> OnlineDdl {
    match circumstances.server.product {
        Product::MariaDb => NOCOPY,
        _ => INPLACE,
    }
}

fn alter_table(schema: &Schema, alter: &AlterTable, sql: &str, circumstances: ImpactContext) -> Vec<Impact> {
    let key = schema.resolve(&alter.table);
    let relation = schema.relation(&key);
    let adds_key = alter.actions.iter().any(|action| {
        matches!(&action.kind, ActionKind::AddConstraint(constraint) if matches!(constraint.kind, ConstraintKind::Primary { .. }))
    });
    let mut impacts = Vec::new();
    for action in &alter.actions {
        let (online, what) = match &action.kind {
            ActionKind::DropPrimaryKey if adds_key => (INPLACE, "the primary key becomes another"),
            ActionKind::DropPrimaryKey => (COPY, "the primary key is dropped"),
            // The rows that do not fit are deleted one by one.
            _ if alter.ignore => (COPY, "rows that do not fit are deleted"),
            _ if alter.algorithm.as_deref() == Some("COPY") => (COPY, "it says ALGORITHM=COPY"),
            kind => match action_cost(relation, kind, &sql[action.range.clone()], sql, circumstances) {
                Some(found) => combined(relation, alter, kind, found, circumstances),
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

/// What a clause costs in this table, and with the others beside it.
fn combined(
    relation: Option<&Relation>,
    alter: &AlterTable,
    action: &ActionKind,
    (online, what): (OnlineDdl, &'static str),
    circumstances: ImpactContext,
) -> (OnlineDdl, &'static str) {
    let mariadb = circumstances.server.product == Product::MariaDb;
    let has = |is: fn(&Relation) -> bool| relation.is_some_and(is);
    let fulltext = has(|relation| relation.indexes.iter().any(|index| index.fulltext));
    let indexed_virtual =
        mariadb && has(|relation| relation.columns.iter().any(|column| column.is_virtual && relation.is_indexed(&column.name)));
    if has(|relation| relation.engine.as_deref().is_some_and(|engine| engine != "innodb")) && what != DESCRIPTION {
        return (COPY, "what is kept by another engine than InnoDB is changed");
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
            // A column that comes or goes without touching the rows does so alone; an index may go with it.
            let alone = alter.actions.iter().all(|other| match &other.kind {
                ActionKind::AddIndex(_) | ActionKind::AddConstraint(_) | ActionKind::Rebuild | ActionKind::Engine(_) => false,
                ActionKind::DropIndex(_) => mariadb,
                ActionKind::AddColumn { column, .. } => !column.unique && !column.identity,
                ActionKind::ModifyColumn(column) => keeps_null(relation, &column.name, column),
                ActionKind::ChangeColumn { from, column } => keeps_null(relation, from, column),
                _ => true,
            });
            match () {
                () if indexed_virtual && drops => (COPY, "a column goes from a table with an index over a virtual one"),
                () if indexed_virtual => (INPLACE_SHARED, "a column is added to a table with an index over a virtual one"),
                () if fulltext => (INPLACE_SHARED, "the columns of a table with a FULLTEXT index change"),
                () if has(|relation| relation.compressed) => (INPLACE, "the columns of a compressed table change"),
                () if !alone => (INPLACE, "columns and something else change together, and the table is made anew"),
                () => (online, what),
            }
        }
        INPLACE
            if REBUILDS.contains(&what) && indexed_virtual && !matches!(action, ActionKind::Rebuild | ActionKind::Engine(_)) =>
        {
            (COPY, "a table with an index over a virtual column is made anew")
        }
        INPLACE if REBUILDS.contains(&what) && (fulltext || indexed_virtual || mariadb && has(has_spatial)) => {
            (INPLACE_SHARED, "a table with a special index is made anew")
        }
        NOCOPY | INPLACE if adds_index_over_new_virtual(alter, action) && mariadb => {
            (INPLACE_SHARED, "a virtual column and an index over it are added together")
        }
        _ => (online, what),
    }
}

fn has_spatial(relation: &Relation) -> bool {
    relation.indexes.iter().any(|index| index.partial_or_expression)
}

/// Is whether the column may be null left as it is?
fn keeps_null(relation: Option<&Relation>, from: &str, column: &Column) -> bool {
    let is_key = |relation: &Relation| relation.primary().is_some_and(|key| key.iter().any(|own| own.eq_ignore_ascii_case(from)));
    let keeps = |before: &schema::Column| before.not_null == column.not_null;
    // The columns of the primary key are never null, whatever is said.
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
    alter.actions.iter().any(|other| match &other.kind {
        ActionKind::AddColumn { column, .. } => {
            let is_virtual = matches!(column.generated, Some(Generated::Virtual | Generated::Unsaid));
            is_virtual && columns.iter().any(|own| own.eq_ignore_ascii_case(&column.name))
        }
        _ => false,
    })
}

/// None when nobody can tell.
fn action_cost(
    relation: Option<&Relation>,
    action: &ActionKind,
    clause: &str,
    sql: &str,
    circumstances: ImpactContext,
) -> Option<(OnlineDdl, &'static str)> {
    let mariadb = circumstances.server.product == Product::MariaDb;
    let (major, minor) = circumstances.server.version;
    let newer = |a: u32, b: u32| (major, minor) >= (a, b);
    let words: Vec<String> =
        clause.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_ascii_uppercase).collect();
    let begins = |expected: &[&str]| words.iter().map(String::as_str).take(expected.len()).eq(expected.iter().copied());
    Some(match action {
        ActionKind::AddColumn { column, .. } => add_column(relation, column, sql, circumstances),
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::Check(_) => (COPY, "a CHECK is added, and every row copied to check it"),
            ConstraintKind::Foreign { .. } if circumstances.foreign_keys_unchecked => {
                (if mariadb { NOCOPY } else { INPLACE }, "a foreign key is added without checking the rows")
            }
            ConstraintKind::Foreign { .. } => (COPY, "a foreign key is added, and every row copied to check it"),
            ConstraintKind::Primary { .. } => (INPLACE, "a primary key is added, and the table sorted anew"),
            _ => (if mariadb { NOCOPY } else { INPLACE }, "a unique index is built"),
        },
        ActionKind::AddIndex(index) => add_index(circumstances, index),
        ActionKind::DropIndex(_) => (drop_index(circumstances), "an index is dropped"),
        ActionKind::DropColumn { name, .. } if relation.is_some_and(|relation| relation.is_indexed(name)) => {
            (if mariadb { NOCOPY } else { INPLACE }, "a column is dropped with its indexes")
        }
        ActionKind::DropColumn { .. } => match mariadb || newer(8, 0) {
            true => (INSTANT, "a column is dropped"),
            false => (INPLACE, "a column is dropped, and the table made anew"),
        },
        ActionKind::ModifyColumn(column) => redefine(relation, &column.name, column, circumstances),
        ActionKind::ChangeColumn { from, column } => redefine(relation, from, column, circumstances),
        ActionKind::Rebuild if begins(&["ORDER"]) => (COPY, "the rows are put into another order"),
        ActionKind::Engine(engine) if engine != "innodb" => (COPY, "the table goes into another engine"),
        ActionKind::Engine(_) | ActionKind::Rebuild => (INPLACE, "the table is made anew"),
        ActionKind::ConvertCharset { charset: Some(charset), collation } if mariadb => {
            let relation = relation.filter(|relation| relation.columns_known);
            match relation.and_then(|relation| converted(relation, charset, collation.as_deref())) {
                None | Some(CharsetChange::Other) => (COPY, CONVERTED),
                Some(found) => cost(found),
            }
        }
        ActionKind::ConvertCharset { .. } => (COPY, CONVERTED),
        ActionKind::Partitioning
            if begins(&["PARTITION"]) || begins(&["REORGANIZE"]) || begins(&["COALESCE"]) || begins(&["REMOVE"]) =>
        {
            (COPY, "the rows are divided anew")
        }
        ActionKind::Partitioning => (INPLACE, "a partition is added or taken away"),
        ActionKind::SystemVersioning => (COPY, "the table keeps its history from now on"),
        ActionKind::Opaque => return None,
        // MySQL has fewer that it calls instant. (8.4 manual, 17.12.1)
        ActionKind::RenameIndex { .. }
        | ActionKind::DropForeignKey(_)
        | ActionKind::DropConstraint { .. }
        | ActionKind::Description
            if !mariadb =>
        {
            (INPLACE, DESCRIPTION)
        }
        _ => (INSTANT, DESCRIPTION),
    })
}

fn add_column(
    relation: Option<&Relation>,
    column: &Column,
    sql: &str,
    circumstances: ImpactContext,
) -> (OnlineDdl, &'static str) {
    let mariadb = circumstances.server.product == Product::MariaDb;
    if column.identity {
        return (INPLACE_SHARED, "a column that counts by itself is added");
    }
    if column.generated == Some(Generated::Stored) {
        return (COPY, "a column that is computed and kept is added");
    }
    if mariadb && column.references.is_some() && !circumstances.foreign_keys_unchecked {
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
    // MariaDB needs no parentheses around a call, and makes an empty document once and for all.
    let calls = |default: &str| {
        let now = ["now(", "current_timestamp(", "localtime(", "localtimestamp(", "curdate(", "current_date("];
        let document = ["(json_object())", "(json_array())", "json_object()", "json_array()"].contains(&default);
        default.contains('(') && !now.iter().any(|call| default.starts_with(call)) && !document
    };
    let expression = default.as_deref().is_some_and(|default| match mariadb {
        true => calls(default) && !literal(default),
        false => default.starts_with('(') && !literal(default),
    });
    // MariaDB gives `rand()` at once, the same value to all rows.
    if expression && !(mariadb && default.as_deref().is_some_and(|default| default.contains("rand()"))) {
        return (COPY, "a column with a computed default is added");
    }
    if column.unique || column.primary {
        return (INPLACE, "a column is added and an index built over it");
    }
    let has_virtual = relation.is_some_and(|relation| relation.columns.iter().any(|column| column.is_virtual));
    if mariadb && column.placed && has_virtual {
        return (COPY, "a column is placed in a table that has a virtual one");
    }
    if !mariadb && column.placed && !circumstances.server.is_at_least(8, 0) {
        return (INPLACE, "a column is placed between others");
    }
    (INSTANT, "a column is added")
}

/// How many bytes a character takes at most. Newer servers take four where nothing is said.
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
        CharsetChange::Same | CharsetChange::Longer => (INSTANT, DESCRIPTION),
        CharsetChange::Reordered => (NOCOPY, "the collation of a column changes, and its indexes are built anew"),
        CharsetChange::Resorted => (COPY, "the collation of the primary key changes"),
        CharsetChange::Other => (COPY, "the type of a column changes"),
    }
}

fn redefine(relation: Option<&Relation>, from: &str, column: &Column, circumstances: ImpactContext) -> (OnlineDdl, &'static str) {
    let mariadb = circumstances.server.product == Product::MariaDb;
    let Some(before) = relation.and_then(|relation| relation.column(from)) else {
        return (COPY, "a column is defined anew, and its type before is not known");
    };
    let (Some(old), Some(new)) = (&before.ty, &column.ty) else { return (COPY, "a column is defined anew") };
    let keeps_null = keeps_null(relation, from, column);
    if before.generated || column.generated.is_some() {
        return match mariadb && before.is_virtual && column.generated == Some(Generated::Virtual) {
            true => (INSTANT, "a virtual column is defined anew"),
            false => (COPY, "a computed column is defined anew"),
        };
    }
    if let Some(relation) = relation.filter(|_| mariadb)
        && let Some(characters) = characters(relation, from, old, new)
    {
        return match characters {
            CharsetChange::Same | CharsetChange::Longer if !keeps_null => (INPLACE, "whether a column may be null changes"),
            found => cost(found),
        };
    }
    let table = relation.and_then(|relation| relation.charset.as_deref());
    let collates = new.collation.is_some() && new.collation != old.collation && old.charset == new.charset;
    if let Some(relation) = relation.filter(|_| collates && old.name == new.name) {
        if relation.primary().is_some_and(|key| key.iter().any(|own| own.eq_ignore_ascii_case(from))) {
            return (COPY, "the collation of the primary key changes");
        }
        if relation.is_indexed(from) {
            return (if mariadb { NOCOPY } else { COPY }, "the collation of a column changes, and its indexes are built anew");
        }
    }
    let kept = same_column_type(old, new, table, mariadb);
    match kept {
        TypeCompatibility::Same if !keeps_null => (INPLACE, "whether a column may be null changes"),
        TypeCompatibility::Same if column.identity && !before.has_default => (COPY, "a column counts by itself from now on"),
        TypeCompatibility::Same if column.placed && !mariadb => (INPLACE, "a column is placed elsewhere"),
        TypeCompatibility::Same | TypeCompatibility::Longer if keeps_null => match (kept, mariadb) {
            (TypeCompatibility::Longer, false) if new.members.is_empty() => (INPLACE, DESCRIPTION),
            _ => (INSTANT, DESCRIPTION),
        },
        TypeCompatibility::Longer => (INPLACE, "a column becomes longer, and whether it may be null changes"),
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
    // A collation says its character set.
    let said = |ty: &Type| ty.charset.clone().or_else(|| ty.collation.as_deref()?.split('_').next().map(str::to_owned));
    let (old_set, new_set) = (said(old), said(new));
    let (old, new) = (&Type { charset: old_set, ..old.clone() }, &Type { charset: new_set, ..new.clone() });
    let charset_changes = new.charset.is_some() && old.charset.is_some() && new.charset != old.charset
        || new.collation.is_some() && old.collation.is_some() && new.collation != old.collation
        || new.charset.is_some() && old.charset.is_none() && new.charset.as_deref() != Some(table.unwrap_or("utf8mb4"))
        // Without a word about it, the column takes the table's.
        || new.charset.is_none() && old.charset.is_some() && old.charset.as_deref() != table;
    if charset_changes || old.name != new.name || old.unsigned != new.unsigned {
        return TypeCompatibility::Other;
    }
    if matches!(new.name.as_str(), "enum" | "set") {
        // How many bytes a value takes must stay.
        let bytes =
            |count: usize| if new.name == "set" { count.div_ceil(8).next_power_of_two() } else { usize::from(count > 255) };
        let appended = new.members.starts_with(&old.members) && bytes(new.members.len()) == bytes(old.members.len());
        return match (new.members == old.members, appended) {
            (true, _) => TypeCompatibility::Same,
            (_, true) => TypeCompatibility::Longer,
            _ => TypeCompatibility::Other,
        };
    }
    if old.arguments == new.arguments {
        return TypeCompatibility::Same;
    }
    if let ("varchar" | "varbinary", [before], [after]) = (new.name.as_str(), &*old.arguments, &*new.arguments) {
        let bytes = |length: &u32| length.saturating_mul(width(new, table));
        // One byte tells lengths up to 255, two tell longer ones.
        // MariaDB has kept room for the second byte in short ones since 10.4.3.
        let room = mariadb && bytes(before) < 128;
        let same_prefix = (bytes(before) < 256) == (bytes(after) < 256);
        return if after >= before && (same_prefix || room) { TypeCompatibility::Longer } else { TypeCompatibility::Other };
    }
    TypeCompatibility::Other
}
