//! MariaDB: what becomes of text when a column gets another character set or collation. Measured on 10.11.19.

use crate::relation::{Column, Relation};
use migrate_model::syntax::Type;

/// What becomes of the text in a column of MariaDB, dearest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CharsetChange {
    /// What is stored stays, and so does its order.
    Same,
    /// The same, with room for more.
    Longer,
    /// What is stored stays, and an index has it in another order.
    Reordered,
    /// The same of the primary key, in whose order the rows are.
    Resorted,
    /// Something else is stored.
    Other,
}

/// What is said of the characters of a column, by its type or its table: the set, and the collation without it.
fn charset_and_collation<'a>(ty: &'a Type, table: (Option<&'a str>, Option<&'a str>)) -> (&'a str, &'a str) {
    let (charset, collation) = (ty.charset.as_deref(), ty.collation.as_deref());
    let (charset, collation) = match (charset, collation) {
        (None, None) => table,
        said => said,
    };
    let of_collation = collation.and_then(|collation| collation.split_once('_'));
    let charset = charset.or(of_collation.map(|(charset, _)| charset)).unwrap_or("utf8mb4");
    (if charset == "utf8" { "utf8mb3" } else { charset }, of_collation.map_or("general_ci", |(_, collation)| collation))
}

/// None for what holds no text, and what has its own rules. (Measured; MariaDB stores utf8mb3 as it would utf8mb4.)
pub fn characters(relation: &Relation, column: &str, old: &Type, new: &Type) -> Option<CharsetChange> {
    let texts = ["char", "varchar", "tinytext", "text", "mediumtext", "longtext"];
    if old.name != new.name || !texts.contains(&new.name.as_str()) {
        return None;
    }
    let table = (relation.charset.as_deref(), relation.collation.as_deref());
    let ((before, ordered), (after, orders)) = (charset_and_collation(old, table), charset_and_collation(new, table));
    if before != after && (before, after) != ("utf8mb3", "utf8mb4") {
        return Some(CharsetChange::Other);
    }
    let longer = match (&*old.arguments, &*new.arguments) {
        ([short], [long]) if new.name == "varchar" => {
            let bytes = |length: &u32, charset: &str| match charset {
                "latin1" | "ascii" | "binary" => *length,
                "utf8mb3" => length.saturating_mul(3),
                _ => length.saturating_mul(4),
            };
            let (short_bytes, long_bytes) = (bytes(short, before), bytes(long, after));
            // One byte tells lengths up to 255, two tell longer ones; short ones have kept room for the second since 10.4.3.
            let fits = short_bytes < 128 || (short_bytes < 256) == (long_bytes < 256);
            if long < short || !fits {
                return Some(CharsetChange::Other);
            }
            long > short
        }
        (short, long) if short == long => false,
        _ => return Some(CharsetChange::Other),
    };
    let is_primary = relation.primary().is_some_and(|key| key.iter().any(|own| own.eq_ignore_ascii_case(column)));
    Some(match () {
        () if ordered != orders && is_primary => CharsetChange::Resorted,
        () if ordered != orders && relation.is_indexed(column) => CharsetChange::Reordered,
        () if longer => CharsetChange::Longer,
        () => CharsetChange::Same,
    })
}

/// `CONVERT TO CHARACTER SET`: what becomes of the column that costs most. None where one is not known.
pub fn converted(relation: &Relation, charset: &str, collation: Option<&str>) -> Option<CharsetChange> {
    let of = |column: &Column| {
        let old = column.ty.as_ref()?;
        let new = Type { charset: Some(charset.to_owned()), collation: collation.map(str::to_owned), ..old.clone() };
        let table = (relation.charset.as_deref(), relation.collation.as_deref());
        let widens = charset_and_collation(old, table).0 != charset_and_collation(&new, table).0;
        Some(match old.name.as_str() {
            "enum" | "set" => CharsetChange::Other,
            // It gets a type with more room.
            "tinytext" | "text" | "mediumtext" if widens => CharsetChange::Other,
            _ => characters(relation, &column.name, old, &new).unwrap_or(CharsetChange::Same),
        })
    };
    let all: Option<Vec<CharsetChange>> = relation.columns.iter().map(of).collect();
    Some(all?.into_iter().max().unwrap_or(CharsetChange::Same))
}
