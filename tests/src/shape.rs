//! The shape of a checkout in numbers: names, booleans, dialects, function lengths, siblings, words, exports, lists.
//!
//! Each measure is syntactic and only counts; it judges nothing. It reads production code with `syn`, resolves no types and runs
//! nothing, so it works on every checkout of this project, old or new. What a number counts is said beside its function. Code that
//! a macro generates is not seen; arguments of macros are seen where they are expressions.

mod checkout;
mod dialects;
mod exports;
mod functions;
mod invariants;
mod lists;
mod matches;
mod rust_text;
mod types;
mod variables;
mod words;

pub use checkout::{Checkout, Document, Source};

use std::fmt::Write;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::{Expr, Macro, Pat, Token};

/// A number, and the places that it counts or summarises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// What is counted; it begins with two spaces where it is a part of the measure above it.
    pub name: String,
    /// How many. It differs from the number of places where names, files or lines are counted.
    pub number: usize,
    /// Where to look.
    pub places: Vec<Place>,
}

impl Measure {
    /// A measure that counts its places.
    fn of_places(name: impl Into<String>, places: Vec<Place>) -> Self {
        Measure { name: name.into(), number: places.len(), places }
    }
}

/// A line of the checkout.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, relative to the root of the checkout, with `/`.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What is in that line.
    pub note: String,
}

impl Place {
    fn new(file: &str, line: usize, note: impl Into<String>) -> Self {
        Place { file: file.to_owned(), line, note: note.into() }
    }
}

/// All measures of a checkout, in the order of the table.
pub fn measures(checkout: &Checkout) -> Vec<Measure> {
    let mut measures = vec![types::defined_twice(checkout)];
    measures.extend(types::boolean_fields(checkout));
    measures.extend(dialects::uses(checkout));
    measures.extend(functions::lengths(checkout));
    measures.extend(matches::on_booleans(checkout));
    measures.extend(variables::vague_names(checkout));
    measures.extend(lists::sibling_imports(checkout));
    measures.extend(words::left_in_texts(checkout));
    measures.extend(exports::not_exported(checkout));
    measures.push(lists::counted_arrays(checkout));
    measures.push(invariants::history_changes(checkout));
    measures.push(invariants::decisions_by_text(checkout));
    measures.push(invariants::undocumented(checkout));
    measures
}

/// Two columns, a line for each measure.
pub fn table(measures: &[Measure]) -> String {
    let width = measures.iter().map(|measure| measure.name.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for Measure { name, number, .. } in measures {
        writeln!(text, "{name:<width$}  {number:>6}").expect("writing to a string does not fail");
    }
    text
}

/// The places of each measure that has some, under its name.
pub fn list(measures: &[Measure]) -> String {
    let mut text = String::new();
    for Measure { name, number, places } in measures {
        if places.is_empty() {
            continue;
        }
        writeln!(text, "\n{}: {number}", name.trim_start()).expect("writing to a string does not fail");
        for Place { file, line, note } in places {
            let entry = format!("  {file}:{line}  {note}");
            writeln!(text, "{}", entry.trim_end()).expect("writing to a string does not fail");
        }
    }
    text
}

/// Visits the arguments of a macro such as `format!` or `matches!`, which for `syn` are tokens. What does not parse is skipped.
fn visit_macro_arguments(visitor: &mut impl for<'a> Visit<'a>, call: &Macro) {
    if let Ok(arguments) = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) {
        arguments.iter().for_each(|argument| visitor.visit_expr(argument));
        return;
    }
    let matches = |input: syn::parse::ParseStream<'_>| {
        let value: Expr = input.parse()?;
        input.parse::<Token![,]>()?;
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        let guard = match input.parse::<Option<Token![if]>>()? {
            Some(_) => Some(input.parse::<Expr>()?),
            None => None,
        };
        input.parse::<Option<Token![,]>>()?;
        Ok((value, pattern, guard))
    };
    if let Ok((value, pattern, guard)) = matches.parse2(call.tokens.clone()) {
        visitor.visit_expr(&value);
        visitor.visit_pat(&pattern);
        guard.iter().for_each(|guard| visitor.visit_expr(guard));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_two_columns_and_the_list_names_places() {
        let measures = [
            Measure::of_places("short", vec![Place::new("a/src/lib.rs", 3, "`X`")]),
            Measure::of_places("  a longer name", Vec::new()),
        ];
        assert_eq!(table(&measures), "short                 1\n  a longer name       0\n");
        assert_eq!(list(&measures), "\nshort: 1\n  a/src/lib.rs:3  `X`\n");
    }

    #[test]
    fn arguments_of_macros_are_visited() {
        let source = "fn f() { g!(match x { true => 1, false => 2 }); let _ = matches!(y, Some(one) if one > 1); }";
        let checkout = Checkout::of_texts(&[("a/src/lib.rs", source)]).unwrap();
        assert_eq!(matches::on_booleans(&checkout)[0].number, 1);
        assert_eq!(variables::vague_names(&checkout)[0].number, 1);
    }
}
