//! The impacts on MySQL and MariaDB. MariaDB: measured on 10.11.19. MySQL: manual 8.4, 17.12.1 "Online DDL Operations".

use super::characters::{CharsetChange, characters, converted};
use super::{Algorithm, AlterReason, Cause, Impact, ImpactContext, Lock, OnlineDdl};
use crate::action_index::ActionIndex;
use crate::object_name::ObjectName;
use crate::relation::{self, Relation};
use crate::schema::Schema;
use crate::server::Product;
use crate::simulation::has_index;
use migrate_model::syntax::{ActionKind, AlterTable, Column, ConstraintKind, CreateIndex, Generated, ObjectKind, Syntax, Type};
use std::cell::LazyCell;

const INSTANT: OnlineDdl = OnlineDdl { algorithm: Algorithm::Instant, allows_writes: true };
const NOCOPY: OnlineDdl = OnlineDdl { algorithm: Algorithm::NoCopy, allows_writes: true };
const INPLACE: OnlineDdl = OnlineDdl { algorithm: Algorithm::Inplace, allows_writes: true };
const INPLACE_SHARED: OnlineDdl = OnlineDdl { algorithm: Algorithm::Inplace, allows_writes: false };
const COPY: OnlineDdl = OnlineDdl { algorithm: Algorithm::Copy, allows_writes: false };

/// The impacts of a statement on the tables of a MySQL or MariaDB database.
pub fn impacts(schema: &Schema, syntax: &Syntax, sql: &str, context: ImpactContext) -> Vec<Impact> {
    let exclusive = |name, cause| vec![Impact::new(schema.resolve(name), Lock::AccessExclusive, cause)];
    match syntax {
        Syntax::AlterTable(alter) => alter_table(schema, alter, sql, context),
        Syntax::CreateIndex(index) if index.if_not_exists && !schema.is_opaque() && has_index(schema, index) => Vec::new(),
        Syntax::CreateIndex(index) => {
            let (online, reason) = add_index(context, index);
            vec![impact(schema.resolve(&index.table), online, reason)]
        }
        Syntax::Drop(removal) => match (removal.kind, &removal.table) {
            (ObjectKind::Index, Some(table)) => {
                vec![impact(schema.resolve(table), drop_index(context), AlterReason::IndexDropped)]
            }
            (ObjectKind::Table, _) if !removal.temporary => {
                removal.names.iter().flat_map(|name| exclusive(name, Cause::DropTable)).collect()
            }
            _ => Vec::new(),
        },
        Syntax::RenameTables(renames) => renames.iter().flat_map(|(from, _)| exclusive(from, Cause::Catalogue)).collect(),
        Syntax::Truncate { tables, .. } => tables.iter().flat_map(|table| exclusive(table, Cause::Truncate)).collect(),
        Syntax::Optimize { tables } => {
            tables.iter().map(|table| impact(schema.resolve(table), INPLACE, AlterReason::TableRebuilt)).collect()
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

fn impact(table: ObjectName, online: OnlineDdl, reason: AlterReason) -> Impact {
    // At its start and end, every algorithm waits for all transactions that used the table.
    let lock = if online.algorithm == Algorithm::Instant {
        Lock::AccessExclusive
    } else if online.allows_writes {
        Lock::ShareUpdateExclusive
    } else {
        Lock::Share
    };
    let impact = Impact::new(table, lock, Cause::Alter(reason));
    let impact = match online.algorithm {
        _ if reason.is_quick() => impact,
        Algorithm::Instant => impact,
        Algorithm::NoCopy | Algorithm::Inplace => impact.building(),
        Algorithm::Copy => impact.rewriting(),
    };
    Impact { online: Some(online), ..impact }
}

fn add_index(context: ImpactContext, index: &CreateIndex) -> (OnlineDdl, AlterReason) {
    if index.algorithm.as_deref() == Some("COPY") {
        let copies_online = context.server.product == Product::MariaDb && context.server.is_at_least(11, 2);
        (OnlineDdl { allows_writes: copies_online, ..COPY }, AlterReason::CopyRequested)
    } else if index.special {
        (INPLACE_SHARED, AlterReason::SpecialIndexBuilt)
    } else if context.server.product == Product::MariaDb {
        (NOCOPY, AlterReason::IndexBuilt)
    } else {
        (INPLACE, AlterReason::IndexBuilt)
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
    let table = AlteredTable::new(relation, alter, context);
    let mut impacts = Vec::new();
    for action in &alter.actions {
        if relation.is_some_and(|relation| !schema.is_opaque() && does_nothing(relation, &action.kind)) {
            continue;
        }
        let (online, reason) = match &action.kind {
            ActionKind::DropPrimaryKey if adds_key => (INPLACE, AlterReason::PrimaryKeyReplaced),
            ActionKind::DropPrimaryKey => (COPY, AlterReason::PrimaryKeyDropped),
            // `IGNORE` deletes the rows one by one.
            _ if alter.ignore => (COPY, AlterReason::DuplicatesDeleted),
            _ if alter.algorithm.as_deref() == Some("COPY") => (COPY, AlterReason::CopyRequested),
            kind => match action_cost(&table, kind, &sql[action.range.clone()], sql, context) {
                Some(cost) => combined(&table, kind, cost),
                None => continue,
            },
        };
        let allows_writes = online.allows_writes || online == COPY && copies_online(&table, reason, context);
        let online = OnlineDdl { allows_writes, ..online };
        impacts.push(impact(key.clone(), online, reason).at(&action.range));
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

/// Since 11.2, MariaDB can copy a table while other sessions write. (Measured on 11.8)
fn copies_online(table: &AlteredTable<'_>, reason: AlterReason, context: ImpactContext) -> bool {
    let is_supported = context.server.product == Product::MariaDb && context.server.is_at_least(11, 2);
    let is_prevented = matches!(
        reason,
        AlterReason::RowsReordered
            | AlterReason::RowsRedistributed
            | AlterReason::AutoIncrementAdded
            | AlterReason::DuplicatesDeleted
    );
    is_supported && !is_prevented && !*table.redefines_counter && table.relation.is_some() && !*table.cascades
}

/// Does `IF EXISTS` or `IF NOT EXISTS` skip the clause?
fn does_nothing(relation: &Relation, action: &ActionKind) -> bool {
    match action {
        ActionKind::AddColumn { column, if_not_exists: true } => relation.has_column(&column.name),
        ActionKind::DropColumn { name, if_exists: true, .. } => {
            let is_known = relation.columns_known && !relation.certainty.is_uncertain() && !relation.may_predate_history;
            is_known && relation.column(name).is_none()
        }
        ActionKind::AddIndex(index) if index.if_not_exists => {
            index.name.as_ref().is_some_and(|name| relation.has_index(&name.name))
        }
        _ => false,
    }
}

/// The table of a statement, and what the costs of its clauses depend on. Each fact is found once for all clauses.
struct AlteredTable<'a> {
    relation: Option<&'a Relation>,
    product: Product,
    /// It has a full-text index.
    has_fulltext: LazyFact<'a>,
    /// It has an index over a virtual column.
    has_indexed_virtual: LazyFact<'a>,
    /// It has an index that is not an ordinary one, such as a spatial one.
    has_spatial: LazyFact<'a>,
    /// It has a virtual column.
    has_virtual: LazyFact<'a>,
    /// It has a stored generated column.
    has_stored: LazyFact<'a>,
    /// Its foreign keys write rows of their own: `ON DELETE CASCADE`.
    cascades: LazyFact<'a>,
    /// No clause of the statement needs another algorithm than INSTANT.
    allows_instant: LazyFact<'a>,
    /// A clause redefines an `AUTO_INCREMENT` column.
    redefines_counter: LazyFact<'a>,
    actions: ActionIndex<'a>,
}

type LazyFact<'a> = LazyCell<bool, Box<dyn FnOnce() -> bool + 'a>>;

impl<'a> AlteredTable<'a> {
    fn new(relation: Option<&'a Relation>, alter: &'a AlterTable, context: ImpactContext) -> Self {
        let mariadb = context.server.product == Product::MariaDb;
        let fact = |holds: fn(&Relation) -> bool| LazyFact::new(Box::new(move || relation.is_some_and(holds)));
        let redefines_counter = move || {
            alter.actions.iter().any(|action| match &action.kind {
                ActionKind::ModifyColumn(column) | ActionKind::ChangeColumn { column, .. } => column.identity,
                _ => false,
            })
        };
        AlteredTable {
            relation,
            product: context.server.product,
            has_fulltext: fact(|relation| relation.indexes.iter().any(|index| index.fulltext)),
            has_indexed_virtual: fact(|relation| {
                relation.columns.iter().any(|column| column.is_virtual && relation.is_indexed(&column.name))
            }),
            has_spatial: fact(|relation| relation.indexes.iter().any(|index| index.partial_or_expression)),
            has_virtual: fact(|relation| relation.columns.iter().any(|column| column.is_virtual)),
            has_stored: fact(|relation| relation.columns.iter().any(|column| column.generated && !column.is_virtual)),
            cascades: fact(|relation| relation.foreign_keys().any(|(.., cascades)| cascades)),
            allows_instant: LazyFact::new(Box::new(move || all_allow_instant(relation, alter, mariadb))),
            redefines_counter: LazyFact::new(Box::new(redefines_counter)),
            actions: ActionIndex::of(alter),
        }
    }

    fn is_mariadb(&self) -> bool {
        self.product == Product::MariaDb
    }
}

/// The cost of a clause in this table, together with the other clauses of the statement.
fn combined(table: &AlteredTable<'_>, action: &ActionKind, cost: (OnlineDdl, AlterReason)) -> (OnlineDdl, AlterReason) {
    let (relation, mariadb) = (table.relation, table.is_mariadb());
    let (online, reason) = cost;
    let engine = relation.and_then(|relation| relation.engine.as_deref());
    if engine.is_some_and(|engine| engine != "innodb") && reason != AlterReason::DefinitionOnly {
        return (COPY, AlterReason::NotInnoDb);
    }
    match online {
        INSTANT if moves_columns(relation, action) => {
            let required_by_table = instead_of_instant(table, action);
            let required_by_clause = || (!*table.allows_instant).then_some((INPLACE, AlterReason::InstantPrevented));
            required_by_table.or_else(required_by_clause).unwrap_or(cost)
        }
        INPLACE if mariadb && makes_not_null(relation, action) && *table.has_stored => (COPY, AlterReason::NotNullBesideStored),
        INPLACE if reason.rebuilds_table() => instead_of_rebuild(table, action).unwrap_or(cost),
        // The position of a column decides where the full-text index finds its document.
        INSTANT if is_moved(action) && *table.has_fulltext => (INPLACE_SHARED, AlterReason::ColumnsChangedUnderFulltext),
        NOCOPY if mariadb && matches!(action, ActionKind::DropColumn { .. }) => instead_of_instant(table, action).unwrap_or(cost),
        NOCOPY | INPLACE if mariadb && adds_index_over_new_virtual(&table.actions, action) => {
            (INPLACE_SHARED, AlterReason::VirtualColumnAddedWithIndex)
        }
        _ => cost,
    }
}

/// Whether a clause makes a nullable column `NOT NULL`.
fn makes_not_null(relation: Option<&Relation>, action: &ActionKind) -> bool {
    let is_nullable = |name: &str| {
        let column = relation.and_then(|relation| relation.column(name));
        column.is_some_and(|column| !column.not_null)
    };
    match action {
        ActionKind::ModifyColumn(column) => column.not_null && is_nullable(&column.name),
        ActionKind::ChangeColumn { from, column } => column.not_null && is_nullable(from),
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::Primary { columns, .. } => columns.iter().any(|column| is_nullable(column)),
            _ => false,
        },
        _ => false,
    }
}

/// Whether a clause moves a column: `FIRST` or `AFTER`.
fn is_moved(action: &ActionKind) -> bool {
    match action {
        ActionKind::ModifyColumn(column) | ActionKind::ChangeColumn { column, .. } => column.placed,
        _ => false,
    }
}

/// Whether a clause changes which columns the rows store.
fn moves_columns(relation: Option<&Relation>, action: &ActionKind) -> bool {
    match action {
        ActionKind::AddColumn { column, .. } => column.generated.is_none(),
        ActionKind::DropColumn { name, .. } => {
            let column = relation.and_then(|relation| relation.column(name));
            column.is_none_or(|column| !column.is_virtual)
        }
        _ => false,
    }
}

/// The cost of a new or dropped column in a table that does not support INSTANT for it.
fn instead_of_instant(table: &AlteredTable<'_>, action: &ActionKind) -> Option<(OnlineDdl, AlterReason)> {
    let relation = table.relation?;
    let drops = matches!(action, ActionKind::DropColumn { .. });
    let indexed_virtual = table.is_mariadb() && *table.has_indexed_virtual;
    if indexed_virtual && drops {
        Some((COPY, AlterReason::ColumnDroppedFromIndexedVirtual))
    } else if indexed_virtual {
        Some((INPLACE_SHARED, AlterReason::ColumnAddedToIndexedVirtual))
    } else if *table.has_fulltext {
        // Without its full-text index, the table is rebuilt while other sessions write.
        let online = if drops_fulltext(relation, action) { INPLACE } else { INPLACE_SHARED };
        Some((online, AlterReason::ColumnsChangedUnderFulltext))
    } else if relation.compressed {
        Some((INPLACE, AlterReason::ColumnsChangedInCompressed))
    } else {
        None
    }
}

/// Whether no clause of the statement needs another algorithm than INSTANT. Only MariaDB allows `DROP INDEX` with it.
fn all_allow_instant(relation: Option<&Relation>, alter: &AlterTable, mariadb: bool) -> bool {
    alter.actions.iter().all(|clause| match &clause.kind {
        ActionKind::AddIndex(_) | ActionKind::AddConstraint(_) | ActionKind::Rebuild | ActionKind::Engine(_) => false,
        ActionKind::DropIndex(_) => mariadb,
        ActionKind::AddColumn { column, .. } => !column.unique && !column.identity,
        ActionKind::ModifyColumn(column) => keeps_null(relation, &column.name, column),
        ActionKind::ChangeColumn { from, column } => keeps_null(relation, from, column),
        _ => true,
    })
}

/// The cost of a rebuild in a table whose indexes cannot be rebuilt while other sessions write.
fn instead_of_rebuild(table: &AlteredTable<'_>, action: &ActionKind) -> Option<(OnlineDdl, AlterReason)> {
    let indexed_virtual = table.is_mariadb() && *table.has_indexed_virtual;
    if indexed_virtual && !matches!(action, ActionKind::Rebuild | ActionKind::Engine(_)) {
        Some((COPY, AlterReason::TableWithIndexedVirtualRebuilt))
    } else if *table.has_fulltext || indexed_virtual || table.is_mariadb() && *table.has_spatial {
        Some((INPLACE_SHARED, AlterReason::TableWithSpecialIndexRebuilt))
    } else {
        None
    }
}

/// Does a clause drop the column of each full-text index?
fn drops_fulltext(relation: &Relation, action: &ActionKind) -> bool {
    let ActionKind::DropColumn { name, .. } = action else { return false };
    let consists_of = |columns: &[String]| columns.iter().all(|column| relation.same(column, name));
    relation.indexes.iter().filter(|index| index.fulltext).all(|index| consists_of(&index.columns))
}

/// Whether the new definition leaves the nullability of the column unchanged.
fn keeps_null(relation: Option<&Relation>, from: &str, column: &Column) -> bool {
    let is_key =
        |relation: &Relation| relation.primary().is_some_and(|key| key.iter().any(|name| name.eq_ignore_ascii_case(from)));
    let keeps = |before: &relation::Column| before.not_null == column.not_null;
    // Columns of the primary key are NOT NULL in any case.
    relation.is_none_or(|relation| is_key(relation) || relation.column(from).is_none_or(keeps))
}

fn adds_index_over_new_virtual(actions: &ActionIndex<'_>, action: &ActionKind) -> bool {
    let columns = match action {
        ActionKind::AddIndex(index) => &index.columns,
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::Unique { columns, .. } => columns,
            _ => return false,
        },
        _ => return false,
    };
    let mut named = columns.iter().flat_map(|name| actions.naming(name));
    named.any(|clause| match &clause.kind {
        ActionKind::AddColumn { column, .. } => {
            let is_virtual = matches!(column.generated, Some(Generated::Virtual | Generated::Unsaid));
            is_virtual && columns.iter().any(|name| name.eq_ignore_ascii_case(&column.name))
        }
        _ => false,
    })
}

/// The cost of a clause alone. `None` if the clause could not be parsed.
fn action_cost(
    table: &AlteredTable<'_>,
    action: &ActionKind,
    clause: &str,
    sql: &str,
    context: ImpactContext,
) -> Option<(OnlineDdl, AlterReason)> {
    let (relation, mariadb) = (table.relation, table.is_mariadb());
    Some(match action {
        ActionKind::AddColumn { column, .. } => add_column(table, column, sql, context),
        ActionKind::AddConstraint(constraint) => add_constraint(&constraint.kind, context),
        ActionKind::AddIndex(index) => add_index(context, index),
        ActionKind::DropIndex(_) => (drop_index(context), AlterReason::IndexDropped),
        ActionKind::DropColumn { name, .. } => drop_column(relation, name, context),
        ActionKind::ModifyColumn(column) => redefine(relation, &column.name, column, context),
        ActionKind::ChangeColumn { from, column } => redefine(relation, from, column, context),
        ActionKind::Rebuild if begins_with(clause, &["ORDER"]) => (COPY, AlterReason::RowsReordered),
        ActionKind::Engine(engine) if engine != "innodb" => (COPY, AlterReason::EngineChanged),
        ActionKind::Engine(_) | ActionKind::Rebuild => (INPLACE, AlterReason::TableRebuilt),
        ActionKind::ConvertCharset { charset: Some(charset), collation } if mariadb => {
            convert_charset(relation, charset, collation.as_deref())
        }
        ActionKind::ConvertCharset { .. } => (COPY, AlterReason::TableConverted),
        ActionKind::Partitioning if begins_with(clause, &["PARTITION", "REORGANIZE", "COALESCE", "REMOVE"]) => {
            (COPY, AlterReason::RowsRedistributed)
        }
        ActionKind::Partitioning => (INPLACE, AlterReason::PartitionChanged),
        ActionKind::SystemVersioning if begins_with(clause, &["DROP"]) => (INPLACE_SHARED, AlterReason::SystemVersioningDropped),
        ActionKind::SystemVersioning => (COPY, AlterReason::SystemVersioningAdded),
        ActionKind::Opaque => return None,
        // MySQL supports INSTANT for fewer changes. (Manual 8.4, 17.12.1)
        ActionKind::RenameIndex { .. }
        | ActionKind::DropForeignKey(_)
        | ActionKind::DropConstraint { .. }
        | ActionKind::Description
            if !mariadb =>
        {
            (INPLACE, AlterReason::DefinitionOnly)
        }
        _ => (INSTANT, AlterReason::DefinitionOnly),
    })
}

/// Whether the first word of a clause is one of these.
fn begins_with(clause: &str, expected: &[&str]) -> bool {
    let first = clause.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| !word.is_empty());
    first.is_some_and(|first| expected.iter().any(|word| word.eq_ignore_ascii_case(first)))
}

fn add_constraint(kind: &ConstraintKind, context: ImpactContext) -> (OnlineDdl, AlterReason) {
    let without_copy = if context.server.product == Product::MariaDb { NOCOPY } else { INPLACE };
    match kind {
        ConstraintKind::Check(_) => (COPY, AlterReason::CheckAdded),
        ConstraintKind::Foreign { .. } if context.foreign_keys_unchecked => (without_copy, AlterReason::ForeignKeyAddedUnchecked),
        ConstraintKind::Foreign { .. } => (COPY, AlterReason::ForeignKeyAdded),
        ConstraintKind::Primary { .. } => (INPLACE, AlterReason::PrimaryKeyAdded),
        _ => (without_copy, AlterReason::UniqueIndexBuilt),
    }
}

fn drop_column(relation: Option<&Relation>, name: &str, context: ImpactContext) -> (OnlineDdl, AlterReason) {
    let mariadb = context.server.product == Product::MariaDb;
    if relation.is_some_and(|relation| relation.is_indexed(name)) {
        (if mariadb { NOCOPY } else { INPLACE }, AlterReason::ColumnDroppedWithIndexes)
    } else if mariadb || context.server.is_at_least(8, 0) {
        (INSTANT, AlterReason::ColumnDropped)
    } else {
        (INPLACE, AlterReason::ColumnDroppedByRebuild)
    }
}

/// The cost of `CONVERT TO CHARACTER SET` on MariaDB.
fn convert_charset(relation: Option<&Relation>, charset: &str, collation: Option<&str>) -> (OnlineDdl, AlterReason) {
    let relation = relation.filter(|relation| relation.columns_known);
    match relation.and_then(|relation| converted(relation, charset, collation)) {
        None | Some(CharsetChange::Other) => (COPY, AlterReason::TableConverted),
        Some(change) => cost(change),
    }
}

fn add_column(table: &AlteredTable<'_>, column: &Column, sql: &str, context: ImpactContext) -> (OnlineDdl, AlterReason) {
    let mariadb = table.is_mariadb();
    if column.identity {
        return (INPLACE_SHARED, AlterReason::AutoIncrementColumnAdded);
    }
    if column.generated == Some(Generated::Stored) {
        return (COPY, AlterReason::StoredColumnAdded);
    }
    if mariadb && column.references.is_some() && !context.foreign_keys_unchecked {
        return (COPY, AlterReason::ForeignKeyColumnAdded);
    }
    if !mariadb && !column.checks.is_empty() {
        return (COPY, AlterReason::CheckColumnAdded);
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
        return (COPY, AlterReason::ComputedDefaultAdded);
    }
    if column.unique || column.primary {
        return (INPLACE, AlterReason::KeyColumnAdded);
    }
    if mariadb && column.placed && *table.has_virtual {
        return (COPY, AlterReason::PlacedColumnAddedBesideVirtual);
    }
    if !mariadb && column.placed && !context.server.is_at_least(8, 0) {
        return (INPLACE, AlterReason::PlacedColumnAdded);
    }
    (INSTANT, AlterReason::ColumnAdded)
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

fn cost(characters: CharsetChange) -> (OnlineDdl, AlterReason) {
    match characters {
        CharsetChange::Same | CharsetChange::Longer => (INSTANT, AlterReason::DefinitionOnly),
        CharsetChange::Reordered => (NOCOPY, AlterReason::IndexedCollationChanged),
        CharsetChange::Resorted => (COPY, AlterReason::PrimaryKeyCollationChanged),
        CharsetChange::Other => (COPY, AlterReason::TypeChanged),
    }
}

fn redefine(relation: Option<&Relation>, from: &str, column: &Column, context: ImpactContext) -> (OnlineDdl, AlterReason) {
    let mariadb = context.server.product == Product::MariaDb;
    let Some(before) = relation.and_then(|relation| relation.column(from)) else {
        return (COPY, AlterReason::CurrentTypeUnknown);
    };
    let (Some(old), Some(new)) = (&before.ty, &column.ty) else {
        return (COPY, AlterReason::TypeUnknown);
    };
    let keeps_null = keeps_null(relation, from, column);
    if before.generated || column.generated.is_some() {
        let stays_virtual = before.is_virtual && column.generated == Some(Generated::Virtual);
        return if mariadb && stays_virtual {
            (INSTANT, AlterReason::VirtualColumnRedefined)
        } else {
            (COPY, AlterReason::GeneratedColumnRedefined)
        };
    }
    if let Some(relation) = relation.filter(|_| mariadb)
        && let Some(characters) = characters(relation, from, old, new)
    {
        return match characters {
            CharsetChange::Same | CharsetChange::Longer if !keeps_null => (INPLACE, AlterReason::NullabilityChanged),
            change => cost(change),
        };
    }
    let table = relation.and_then(|relation| relation.charset.as_deref());
    let collates = new.collation.is_some() && new.collation != old.collation && old.charset == new.charset;
    if let Some(relation) = relation.filter(|_| collates && old.name == new.name) {
        if relation.primary().is_some_and(|key| key.iter().any(|name| name.eq_ignore_ascii_case(from))) {
            return (COPY, AlterReason::PrimaryKeyCollationChanged);
        }
        if relation.is_indexed(from) {
            return (if mariadb { NOCOPY } else { COPY }, AlterReason::IndexedCollationChanged);
        }
    }
    match same_column_type(old, new, table, mariadb) {
        TypeCompatibility::Same if !keeps_null => (INPLACE, AlterReason::NullabilityChanged),
        TypeCompatibility::Same if column.identity && !before.has_default => (COPY, AlterReason::AutoIncrementAdded),
        TypeCompatibility::Same if column.placed && !mariadb => (INPLACE, AlterReason::ColumnMoved),
        TypeCompatibility::Longer if keeps_null && !mariadb && new.members.is_empty() => (INPLACE, AlterReason::DefinitionOnly),
        TypeCompatibility::Same | TypeCompatibility::Longer if keeps_null => (INSTANT, AlterReason::DefinitionOnly),
        TypeCompatibility::Longer => (INPLACE, AlterReason::ColumnLengthened),
        _ => (COPY, AlterReason::TypeChanged),
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
