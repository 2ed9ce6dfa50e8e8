//! Where code depends on which database it is for, by naming a variant of `Dialect`.

use super::{Checkout, Measure, Place};
use proc_macro2::TokenTree;
use std::collections::BTreeSet;

/// The variants of `Dialect`.
const VARIANTS: [&str; 3] = ["MySql", "Postgres", "Sqlite"];

/// Modules that read SQL, whose subject is what differs between databases.
const SQL_READERS: &[&str] = &[
    "assignment",
    "atomicity",
    "client_command",
    "client_encoding",
    "read_only",
    "savepoint",
    "compound",
    "effect",
    "enum_value",
    "execution",
    "lock_class",
    "lock_strength",
    "quoting",
    "reader",
    "rollback_limit",
    "session_effect",
    "statement",
    "token",
    "transaction_class",
];

/// Uses of `Dialect::Postgres`, `Dialect::MySql` and `Dialect::Sqlite`, and the files that have some. Safety rules are about a
/// database each and are not counted.
pub fn uses(checkout: &Checkout) -> Vec<Measure> {
    let mut places = Vec::new();
    let mut allowed = BTreeSet::new();
    for source in checkout.sources.iter().filter(|source| !source.is_in_module("rules")) {
        let tokens = source.tokens();
        for window in tokens.windows(4) {
            let [TokenTree::Ident(dialect), TokenTree::Punct(first), TokenTree::Punct(second), TokenTree::Ident(variant)] =
                window
            else {
                continue;
            };
            let is_path = dialect == "Dialect" && first.as_char() == ':' && second.as_char() == ':';
            if is_path && VARIANTS.iter().any(|name| variant == name) {
                places.push(Place::new(&source.path, dialect.span().start().line, format!("`Dialect::{variant}`")));
            }
        }
        if SQL_READERS.iter().any(|name| source.is_in_module(name)) {
            allowed.insert(source.path.clone());
        }
    }
    let outside: Vec<Place> = places.iter().filter(|place| !place.file.contains("/backends/")).cloned().collect();
    let elsewhere: Vec<Place> = outside.iter().filter(|place| !allowed.contains(&place.file)).cloned().collect();
    [
        ("a dialect, outside `rules/`", places),
        ("a dialect, outside `rules/` and `backends/`", outside),
        ("a dialect, outside those and the SQL readers", elsewhere),
    ]
    .into_iter()
    .flat_map(|(name, places)| {
        let files: BTreeSet<&str> = places.iter().map(|place| &*place.file).collect();
        let files = Measure { name: format!("files that name {name}"), number: files.len(), places: Vec::new() };
        [files, Measure::of_places(format!("  uses of {name}"), places)]
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_counted_by_place() {
        let checkout = Checkout::of_texts(&[
            (
                "a/src/x.rs",
                "fn f() {\n matches!(d, Dialect::MySql | Dialect::Postgres) }\n// Dialect::Sqlite\nfn g(d: Dialect) {}",
            ),
            ("a/src/reader/y.rs", "use Dialect::Sqlite;"),
            ("a/src/backends/mysql.rs", "const D: Dialect = crate::Dialect::MySql;"),
            ("a/src/rules/mysql.rs", "const D: Dialect = Dialect::MySql;"),
            ("a/src/z.rs", "#[cfg(test)] mod tests { const D: Dialect = Dialect::MySql; }"),
        ]);
        let measures = uses(&checkout.unwrap());
        let numbers: Vec<usize> = measures.iter().map(|measure| measure.number).collect();
        assert_eq!(numbers, [3, 4, 2, 3, 1, 2]);
        assert_eq!(measures[1].places[0], Place::new("a/src/backends/mysql.rs", 1, "`Dialect::MySql`"));
        assert_eq!(measures[5].places[0].line, 2);
    }
}
