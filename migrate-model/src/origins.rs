//! The list of origins: the other tools whose histories are recognized.

mod atlas;
mod dbmate;
mod diesel;
mod flyway;
mod golang_migrate;
mod goose;
mod link;
mod node_pg_migrate;
mod prisma;
mod rails;
mod refinery;
mod sea_orm;
mod sqlx;
mod supabase;
mod takumi;
mod trossapp;

use crate::catalog_table::CatalogTable;
use crate::origin::{MOST_ADDED, Origin, OriginTable};

/// All origins. Of two that have the same columns, the one that needs a second table comes first.
pub static ALL: &[&Origin] = &[
    &rails::ORIGIN,
    &atlas::ORIGIN,
    &dbmate::ORIGIN,
    &diesel::ORIGIN,
    &flyway::ORIGIN,
    &golang_migrate::ORIGIN,
    &goose::ORIGIN,
    &link::ORIGIN,
    &node_pg_migrate::ORIGIN,
    &prisma::ORIGIN,
    &refinery::ORIGIN,
    &sea_orm::ORIGIN,
    &sqlx::ORIGIN,
    &supabase::ORIGIN,
    &takumi::ORIGIN,
    &trossapp::ORIGIN,
];

/// The origin with this name in `migrate.toml`.
pub fn named(name: &str) -> Option<&'static Origin> {
    ALL.iter().copied().find(|origin| origin.name == name)
}

/// The origin of a table, by its columns and by the other tables of its schema; never by its name.
pub fn recognize(table: &CatalogTable, tables: &[CatalogTable]) -> Option<(&'static Origin, &'static OriginTable)> {
    let has_companion = |columns: &[&str]| {
        let is_companion = |other: &CatalogTable| {
            other.schema == table.schema && other.columns.len() == columns.len() && other.has_columns(columns)
        };
        columns.is_empty() || tables.iter().any(is_companion)
    };
    let find = |is_like: fn(&OriginTable, &CatalogTable) -> bool| {
        ALL.iter().find_map(|origin| {
            let known = origin.tables.iter().find(|known| is_like(known, table) && has_companion(known.companion))?;
            Some((*origin, known))
        })
    };
    find(OriginTable::matches).or_else(|| find(OriginTable::resembles))
}

/// The largest number of columns of a table of any origin: larger tables need not be looked at.
pub fn most_columns() -> usize {
    ALL.iter().flat_map(|origin| origin.tables).map(|table| table.columns.len()).max().unwrap_or_default() + MOST_ADDED
}
