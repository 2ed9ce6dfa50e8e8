//! `match` where `if` would do.

use super::checkout::line;
use super::{Checkout, Measure, Place, visit_macro_arguments};
use syn::visit::{self, Visit};
use syn::{Expr, ExprMatch, Lit, Macro, Pat};

/// Matches of which all patterns are `true`, `false` or `_`, and matches on `()`, which are chains of guards.
pub fn on_booleans(checkout: &Checkout) -> [Measure; 2] {
    let mut matches = Matches::default();
    for source in &checkout.sources {
        matches.file = &source.path;
        matches.visit_file(&source.syntax);
    }
    [
        Measure::of_places("`match` on a boolean", matches.booleans),
        Measure::of_places("`match ()`, a chain of guards", matches.guards),
    ]
}

#[derive(Default)]
struct Matches<'c> {
    file: &'c str,
    booleans: Vec<Place>,
    guards: Vec<Place>,
}

impl<'ast> Visit<'ast> for Matches<'_> {
    fn visit_expr_match(&mut self, expression: &'ast ExprMatch) {
        let place = Place::new(self.file, line(&expression.match_token), "");
        let is_literal = |pattern: &Pat| matches!(pattern, Pat::Lit(literal) if matches!(literal.lit, Lit::Bool(_)));
        let patterns = || expression.arms.iter().map(|arm| &arm.pat);
        if matches!(&*expression.expr, Expr::Tuple(tuple) if tuple.elems.is_empty()) {
            self.guards.push(place);
        } else if patterns().any(is_literal) && patterns().all(|pattern| is_literal(pattern) || matches!(pattern, Pat::Wild(_))) {
            self.booleans.push(place);
        }
        visit::visit_expr_match(self, expression);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        visit_macro_arguments(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_counted() {
        let text = "fn f(a: bool) {\n match a { true => 1, false => 2 };\n match a { true => match a { false => 1, _ => 2 }, _ => 3 };\n\
                    match () { () if a => 1, () => 2 };\n match (a, a) { (true, _) => 1, _ => 2 };\n match x { Some(true) => 1, _ => 2 };\n\
                    match x { _ => 1 } }";
        let [booleans, guards] = on_booleans(&Checkout::of_texts(&[("a/src/lib.rs", text)]).unwrap());
        assert_eq!(booleans.places.iter().map(|place| place.line).collect::<Vec<_>>(), [2, 3, 3]);
        assert_eq!(guards.places.iter().map(|place| place.line).collect::<Vec<_>>(), [4]);
    }
}
