//! Names of types that mean more than one thing, and booleans among the fields.

use super::checkout::{is_alternative, line};
use super::{Checkout, Measure, Place};
use std::collections::BTreeMap;
use syn::visit::{self, Visit};
use syn::{Attribute, Fields, Ident, Meta, Type};

/// Each command has its own, and only the list of commands names them.
const EXPECTED_TO_REPEAT: &str = "Arguments";

/// Structs, enums, unions, traits and aliases of one name in more than one place, in all crates together. A type and the one that
/// `#[cfg(not(...))]` puts in its place count as one.
pub fn defined_twice(checkout: &Checkout) -> Measure {
    struct Definitions<'c> {
        file: &'c str,
        by_name: BTreeMap<String, Vec<Place>>,
    }
    impl Definitions<'_> {
        fn add(&mut self, name: &Ident, attributes: &[Attribute]) {
            if is_alternative(attributes) {
                return;
            }
            let place = Place::new(self.file, line(name), format!("`{name}`"));
            self.by_name.entry(name.to_string()).or_default().push(place);
        }
    }
    impl<'ast> Visit<'ast> for Definitions<'_> {
        fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
            self.add(&item.ident, &item.attrs);
        }
        fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
            self.add(&item.ident, &item.attrs);
        }
        fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
            self.add(&item.ident, &item.attrs);
        }
        fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
            self.add(&item.ident, &item.attrs);
        }
        fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
            self.add(&item.ident, &item.attrs);
            visit::visit_item_trait(self, item);
        }
    }

    let mut definitions = Definitions { file: "", by_name: BTreeMap::new() };
    for source in &checkout.sources {
        definitions.file = &source.path;
        definitions.visit_file(&source.syntax);
    }
    definitions.by_name.remove(EXPECTED_TO_REPEAT);
    definitions.by_name.retain(|_, places| places.len() > 1);
    Measure {
        name: "type names defined more than once".to_owned(),
        number: definitions.by_name.len(),
        places: definitions.by_name.into_values().flatten().collect(),
    }
}

/// Fields of type `bool`, of structs and of enum variants. Flags of the command line are booleans by nature, and those of
/// `syntax` mirror the words of a statement, so both are counted apart.
pub fn boolean_fields(checkout: &Checkout) -> [Measure; 3] {
    #[derive(Default)]
    struct Booleans<'c> {
        file: &'c str,
        is_syntax: bool,
        states: Vec<Place>,
        flags: Vec<Place>,
        syntax: Vec<Place>,
    }
    impl Booleans<'_> {
        fn add(&mut self, owner: &str, fields: &Fields, is_clap: bool) {
            let booleans = fields.iter().filter(|field| matches!(&field.ty, Type::Path(path) if path.path.is_ident("bool")));
            for (index, field) in booleans.enumerate() {
                let name = field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string);
                let place = Place::new(self.file, line(&field.ty), format!("`{owner}.{name}`"));
                if is_clap {
                    self.flags.push(place);
                } else if self.is_syntax {
                    self.syntax.push(place);
                } else {
                    self.states.push(place);
                }
            }
        }
    }
    impl<'ast> Visit<'ast> for Booleans<'_> {
        fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
            let is_clap = derives_clap(&item.attrs) || item.fields.iter().any(|field| is_clap_field(&field.attrs));
            self.add(&item.ident.to_string(), &item.fields, is_clap);
        }
        fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
            for variant in &item.variants {
                let is_clap = derives_clap(&item.attrs) || variant.fields.iter().any(|field| is_clap_field(&field.attrs));
                self.add(&format!("{}::{}", item.ident, variant.ident), &variant.fields, is_clap);
            }
        }
    }

    let mut booleans = Booleans::default();
    for source in &checkout.sources {
        booleans.file = &source.path;
        booleans.is_syntax = source.is_in_module("syntax");
        booleans.visit_file(&source.syntax);
    }
    [
        Measure::of_places("boolean fields of types", booleans.states),
        Measure::of_places("  not counted: flags of the command line", booleans.flags),
        Measure::of_places("  not counted: in `syntax`", booleans.syntax),
    ]
}

fn derives_clap(attributes: &[Attribute]) -> bool {
    let names_clap = |text: &str| text.split([',', ':', ' ']).any(|word| ["Args", "Parser", "Subcommand"].contains(&word));
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("derive") && names_clap(&list.tokens.to_string()),
        _ => false,
    })
}

fn is_clap_field(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| ["arg", "clap", "command"].iter().any(|name| attribute.path().is_ident(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_two_files_is_counted_and_arguments_are_not() {
        let checkout = Checkout::of_texts(&[
            ("a/src/lib.rs", "struct Stop;\nstruct Arguments;\nstruct Alone;\n#[cfg(test)] mod tests { struct Alone; }"),
            ("b/src/c.rs", "\nmod inner { enum Stop {} }\nstruct Arguments;\nfn f() { type Local = u8; }"),
            ("b/src/d.rs", "trait Local { type Alone; }\n#[cfg(unix)] struct Sys;\n#[cfg(not(unix))] struct Sys;"),
        ]);
        let measure = defined_twice(&checkout.unwrap());
        assert_eq!(measure.number, 2);
        let places: Vec<String> =
            measure.places.iter().map(|place| format!("{}:{} {}", place.file, place.line, place.note)).collect();
        assert_eq!(places, ["b/src/c.rs:4 `Local`", "b/src/d.rs:1 `Local`", "a/src/lib.rs:1 `Stop`", "b/src/c.rs:2 `Stop`"]);
    }

    #[test]
    fn booleans_are_counted_by_what_they_are() {
        let checkout = Checkout::of_texts(&[
            ("a/src/lib.rs", "struct A { b: bool, c: Option<bool> }\nenum B { C { d: bool }, E(bool) }\nstruct F(bool);"),
            ("a/src/command.rs", "#[derive(Debug, Args)] struct A { b: bool }\nstruct C { #[arg(long)] d: bool, e: bool }"),
            ("a/src/syntax.rs", "struct A { b: bool }"),
        ]);
        let [states, flags, syntax] = boolean_fields(&checkout.unwrap());
        assert_eq!((states.number, flags.number, syntax.number), (4, 3, 1));
        assert_eq!(states.places[1].note, "`B::C.d`");
    }
}
