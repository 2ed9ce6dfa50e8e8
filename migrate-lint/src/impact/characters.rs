//! MariaDB: the effect of another character set or collation on stored text. Measured on 10.11.19.

use crate::relation::{Column, Relation};
use migrate_model::syntax::Type;

/// The effect on the text in a column of MariaDB, from the cheapest to the most expensive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CharsetChange {
    /// The stored bytes and their order stay the same.
    Same,
    /// As `Same`, with a larger maximum length.
    Longer,
    /// The stored bytes stay the same, but indexes need another order.
    Reordered,
    /// As `Reordered`, for the primary key: the rows are stored in its order.
    Resorted,
    /// The stored bytes change.
    Other,
}

/// The character set of a column, and its collation without that prefix. A type without either inherits both from `table`.
fn charset_and_collation<'a>(ty: &'a Type, table: (Option<&'a str>, Option<&'a str>)) -> (&'a str, &'a str) {
    let (charset, collation) = (ty.charset.as_deref(), ty.collation.as_deref());
    let (charset, collation) = match (charset, collation) {
        (None, None) => table,
        of_type => of_type,
    };
    let of_collation = collation.and_then(|collation| collation.split_once('_'));
    let charset = charset.or(of_collation.map(|(charset, _)| charset)).unwrap_or("utf8mb4");
    (if charset == "utf8" { "utf8mb3" } else { charset }, of_collation.map_or("general_ci", |(_, collation)| collation))
}

/// The effect of a new type. `None` unless both types are the same text type.
pub fn characters(relation: &Relation, column: &str, old: &Type, new: &Type) -> Option<CharsetChange> {
    let texts = ["char", "varchar", "tinytext", "text", "mediumtext", "longtext"];
    if old.name != new.name || !texts.contains(&new.name.as_str()) {
        return None;
    }
    let table = (relation.charset.as_deref(), relation.collation.as_deref());
    let ((before, ordered), (after, orders)) = (charset_and_collation(old, table), charset_and_collation(new, table));
    // Measured: MariaDB stores utf8mb3 text in the same bytes as utf8mb4.
    if before != after && (before, after) != ("utf8mb3", "utf8mb4") {
        return Some(CharsetChange::Other);
    }
    let longer = match (&*old.arguments, &*new.arguments) {
        ([short], [long]) if new.name == "varchar" => {
            let (short_bytes, long_bytes) = (max_bytes(*short, before), max_bytes(*long, after));
            // A length up to 255 bytes is stored in 1 byte, a larger one in 2.
            // Since 10.4.3, columns below 128 bytes reserve both.
            let fits = short_bytes < 128 || (short_bytes < 256) == (long_bytes < 256);
            if long < short || !fits {
                return Some(CharsetChange::Other);
            }
            long > short
        }
        (short, long) if short == long => false,
        _ => return Some(CharsetChange::Other),
    };
    let is_primary = relation.primary().is_some_and(|key| key.iter().any(|name| name.eq_ignore_ascii_case(column)));
    Some(if ordered != orders && is_primary {
        CharsetChange::Resorted
    } else if ordered != orders && relation.is_indexed(column) {
        CharsetChange::Reordered
    } else if longer {
        CharsetChange::Longer
    } else {
        CharsetChange::Same
    })
}

fn max_bytes(length: u32, charset: &str) -> u32 {
    match charset {
        "latin1" | "ascii" | "binary" => length,
        "utf8mb3" => length.saturating_mul(3),
        _ => length.saturating_mul(4),
    }
}

/// The effect of `CONVERT TO CHARACTER SET` on the most expensive column. `None` if the type of a column is unknown.
pub fn converted(relation: &Relation, charset: &str, collation: Option<&str>) -> Option<CharsetChange> {
    let columns = relation.columns.iter();
    let changes: Option<Vec<CharsetChange>> =
        columns.map(|column| converted_column(relation, column, charset, collation)).collect();
    Some(changes?.into_iter().max().unwrap_or(CharsetChange::Same))
}

fn converted_column(relation: &Relation, column: &Column, charset: &str, collation: Option<&str>) -> Option<CharsetChange> {
    let old = column.ty.as_ref()?;
    let new = Type { charset: Some(charset.to_owned()), collation: collation.map(str::to_owned), ..old.clone() };
    let table = (relation.charset.as_deref(), relation.collation.as_deref());
    let changes_charset = charset_and_collation(old, table).0 != charset_and_collation(&new, table).0;
    Some(match old.name.as_str() {
        "enum" | "set" => CharsetChange::Other,
        // The conversion also changes the column to a larger text type.
        "tinytext" | "text" | "mediumtext" if changes_charset => CharsetChange::Other,
        _ => characters(relation, &column.name, old, &new).unwrap_or(CharsetChange::Same),
    })
}
