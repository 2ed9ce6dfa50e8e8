//! Names of variables and fields that say nothing about what they hold.

use super::checkout::line;
use super::{Checkout, Measure, Place, visit_macro_arguments};
use syn::visit::{self, Visit};
use syn::{Field, Ident, Macro, PatIdent};

/// The names, each of which could be anything.
const VAGUE: [&str; 5] = ["one", "own", "found", "told", "shown"];

/// Where a name is given: bindings in patterns, parameters of functions and closures, and fields. Uses are not counted.
pub fn vague_names(checkout: &Checkout) -> Vec<Measure> {
    let mut names = Names::default();
    for source in &checkout.sources {
        names.file = &source.path;
        names.visit_file(&source.syntax);
    }
    let total =
        Measure { name: "variables and fields with a vague name".to_owned(), number: names.places.len(), places: Vec::new() };
    let parts = VAGUE.iter().map(|name| {
        let places = names.places.iter().filter(|(vague, _)| vague == name).map(|(_, place)| place.clone()).collect();
        Measure::of_places(format!("  variables and fields named `{name}`"), places)
    });
    std::iter::once(total).chain(parts).collect()
}

#[derive(Default)]
struct Names<'c> {
    file: &'c str,
    places: Vec<(&'static str, Place)>,
}

impl Names<'_> {
    fn add(&mut self, name: &Ident, what: &str) {
        if let Some(vague) = VAGUE.iter().find(|vague| name == *vague) {
            self.places.push((vague, Place::new(self.file, line(name), what)));
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.add(&pattern.ident, "binding");
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if let Some(name) = &field.ident {
            self.add(name, "field");
        }
        visit::visit_field(self, field);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        visit_macro_arguments(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_and_fields_are_counted_and_uses_are_not() {
        let text = "struct A { own: u8 }\nfn f(one: u8) { let g = |one: u8| one + 1; g(one); own(); }\n\
                    fn h(a: A) { if let A { own } = a { own; } for (found, b) in c { found.d(b.shown); } }";
        let measures = vague_names(&Checkout::of_texts(&[("a/src/lib.rs", text)]).unwrap());
        let numbers: Vec<usize> = measures.iter().map(|measure| measure.number).collect();
        assert_eq!(numbers, [5, 2, 2, 1, 0, 0]);
        assert_eq!(measures[2].places[0].note, "field");
    }
}
