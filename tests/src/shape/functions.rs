//! How long functions are.

use super::{Checkout, Measure, Place};
use syn::visit::{self, Visit};
use syn::{Block, Signature};

/// The longest function that fits on a screen.
const LONG: usize = 60;

/// Lines of functions with a body, from `fn` to the closing brace. Percentiles are by nearest rank. A function in a function
/// counts for itself and as lines of the outer one.
pub fn lengths(checkout: &Checkout) -> Vec<Measure> {
    let mut functions = Functions::default();
    for source in &checkout.sources {
        functions.file = &source.path;
        functions.visit_file(&source.syntax);
    }
    let mut all = functions.all;
    all.sort_by(|(left, left_place), (right, right_place)| right.cmp(left).then_with(|| left_place.cmp(right_place)));
    let long: Vec<Place> = all.iter().filter(|(lines, _)| *lines > LONG).map(|(_, place)| place.clone()).collect();
    let lines: Vec<usize> = all.iter().rev().map(|(lines, _)| *lines).collect();
    let rank = |name: &str, percent: usize| {
        let number = (lines.len() * percent).div_ceil(100).checked_sub(1).and_then(|at| lines.get(at)).copied();
        Measure { name: format!("  lines of a function, {name}"), number: number.unwrap_or_default(), places: Vec::new() }
    };
    vec![
        Measure { name: "functions".to_owned(), number: lines.len(), places: Vec::new() },
        Measure::of_places(format!("  functions of more than {LONG} lines"), long),
        rank("median", 50),
        rank("90th percentile", 90),
        rank("99th percentile", 99),
        rank("maximum", 100),
    ]
}

#[derive(Default)]
struct Functions<'c> {
    file: &'c str,
    all: Vec<(usize, Place)>,
}

impl Functions<'_> {
    fn add(&mut self, signature: &Signature, block: &Block) {
        let start = signature.fn_token.span.start().line;
        let lines = block.brace_token.span.close().end().line - start + 1;
        self.all.push((lines, Place::new(self.file, start, format!("`{}`, {lines} lines", signature.ident))));
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_from_fn_to_the_closing_brace() {
        let long = format!("/// Long.\n#[inline]\npub fn long() {{\n{}}}\n", "    f();\n".repeat(59));
        let rest = "trait A { fn no_body(); fn short() {} }\nimpl B {\n    fn three(\n    ) {\n    }\n}\n";
        let checkout = Checkout::of_texts(&[("a/src/lib.rs", &(long + rest))]).unwrap();
        let measures = lengths(&checkout);
        let numbers: Vec<usize> = measures.iter().map(|measure| measure.number).collect();
        assert_eq!(numbers, [3, 1, 3, 61, 61, 61]);
        assert_eq!(measures[1].places, [Place::new("a/src/lib.rs", 3, "`long`, 61 lines")]);
        assert_eq!(lengths(&Checkout::default())[5].number, 0);
    }
}
