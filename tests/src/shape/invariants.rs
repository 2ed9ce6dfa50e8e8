//! What only one module may do, and what no module may do.

use super::checkout::line;
use super::{Checkout, Measure, Place, Source, visit_macro_arguments};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, ExprBinary, ExprMatch, ExprMethodCall, ExprPath, ExprStruct, ImplItem, Item, Lit, Macro, Pat, Path, UsePath,
    UseRename, Visibility,
};

/// The type that describes a change of the history, and the modules that may build its values.
const HISTORY_CHANGE: (&str, [&str; 2]) = ("HistoryChange", ["history_change", "history_changes"]);

/// Where the text of a server may be read: its codes do not suffice there.
const READERS_OF_SERVER_TEXT: [&str; 3] = ["backends", "rejection_help", "step_errors"];

/// Methods that look for text in a text.
const SEARCHES: [&str; 11] = [
    "contains",
    "ends_with",
    "eq",
    "find",
    "matches",
    "rfind",
    "rsplit_once",
    "split_once",
    "starts_with",
    "strip_prefix",
    "strip_suffix",
];

/// Names of errors and findings, whose text is for people.
const ERRORS: [&str; 5] = ["e", "err", "error", "failure", "finding"];

/// Names of texts that are written for people.
const TEXTS: [&str; 4] = ["help", "label", "message", "note"];

/// Values of `HistoryChange` that are built outside the modules for it. Patterns are not counted.
pub fn history_changes(checkout: &Checkout) -> Measure {
    let (_, modules) = HISTORY_CHANGE;
    let places = uses(checkout, |source| !modules.iter().any(|module| source.is_in_module(module))).changes;
    Measure::of_places("changes of the history that are built elsewhere", places)
}

/// Searches in a text that is called a message, a help, a label or a note, or in the text of an error, and comparisons with one.
pub fn decisions_by_text(checkout: &Checkout) -> Measure {
    let is_counted = |source: &Source| !READERS_OF_SERVER_TEXT.iter().any(|module| source.is_in_module(module));
    let places = uses(checkout, is_counted).decisions;
    Measure::of_places("decisions by the text of a message", places)
}

/// Public items and methods without documentation. Fields and variants are not counted.
pub fn undocumented(checkout: &Checkout) -> Measure {
    let mut places = Vec::new();
    for source in &checkout.sources {
        undocumented_items(&source.path, &source.syntax.items, &mut places);
    }
    Measure::of_places("public items without documentation", places)
}

fn undocumented_items(file: &str, items: &[Item], places: &mut Vec<Place>) {
    for item in items {
        let (visibility, attributes, name) = match item {
            Item::Const(item) => (&item.vis, &item.attrs, item.ident.to_string()),
            Item::Enum(item) => (&item.vis, &item.attrs, item.ident.to_string()),
            Item::Fn(item) => (&item.vis, &item.attrs, item.sig.ident.to_string()),
            Item::Static(item) => (&item.vis, &item.attrs, item.ident.to_string()),
            Item::Struct(item) => (&item.vis, &item.attrs, item.ident.to_string()),
            Item::Trait(item) => (&item.vis, &item.attrs, item.ident.to_string()),
            Item::Type(item) => (&item.vis, &item.attrs, item.ident.to_string()),
            Item::Mod(item) => {
                let (_, content) = item.content.as_ref().map_or((None, &[][..]), |(brace, items)| (Some(brace), &items[..]));
                undocumented_items(file, content, places);
                continue;
            }
            Item::Impl(block) if block.trait_.is_none() => {
                for item in &block.items {
                    if let ImplItem::Fn(method) = item {
                        check(file, &method.vis, &method.attrs, &method.sig.ident.to_string(), line(&method.sig), places);
                    }
                }
                continue;
            }
            _ => continue,
        };
        check(file, visibility, attributes, &name, line(item), places);
    }
}

fn check(file: &str, visibility: &Visibility, attributes: &[Attribute], name: &str, line: usize, places: &mut Vec<Place>) {
    let is_documented = attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
    if matches!(visibility, Visibility::Public(_)) && !is_documented {
        places.push(Place::new(file, line, format!("`{name}`")));
    }
}

fn uses<'c>(checkout: &'c Checkout, is_counted: impl Fn(&Source) -> bool) -> Uses<'c> {
    let mut uses = Uses::default();
    for source in checkout.sources.iter().filter(|source| is_counted(source)) {
        uses.file = &source.path;
        uses.visit_file(&source.syntax);
    }
    uses
}

#[derive(Default)]
struct Uses<'c> {
    file: &'c str,
    changes: Vec<Place>,
    decisions: Vec<Place>,
}

impl Uses<'_> {
    fn built(&mut self, path: &Path) {
        let segments = &path.segments;
        if segments.len() > 1 && segments[segments.len() - 2].ident == HISTORY_CHANGE.0 {
            self.changes.push(Place::new(self.file, line(path), format!("`{}`", segments[segments.len() - 1].ident)));
        }
    }

    fn decided(&mut self, text: &Expr) {
        if is_text(text) {
            self.decisions.push(Place::new(self.file, line(text), ""));
        }
    }
}

/// Whether an expression is a text for people: by its name, or the text of an error.
fn is_text(expression: &Expr) -> bool {
    match expression {
        Expr::Field(field) => matches!(&field.member, syn::Member::Named(name) if TEXTS.iter().any(|text| name == text)),
        Expr::MethodCall(call) if call.method == "to_string" => {
            matches!(&*call.receiver, Expr::Path(path) if ERRORS.iter().any(|name| path.path.is_ident(name)))
        }
        Expr::MethodCall(call) if call.args.is_empty() => TEXTS.iter().any(|text| call.method == text) || is_text(&call.receiver),
        Expr::Path(path) => TEXTS.iter().any(|text| path.path.is_ident(text)),
        Expr::Paren(inner) => is_text(&inner.expr),
        Expr::Reference(inner) => is_text(&inner.expr),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_expr_struct(&mut self, expression: &'ast ExprStruct) {
        self.built(&expression.path);
        visit::visit_expr_struct(self, expression);
    }

    fn visit_expr_path(&mut self, expression: &'ast ExprPath) {
        self.built(&expression.path);
    }

    fn visit_pat(&mut self, pattern: &'ast Pat) {
        // The path of a pattern is visited as an expression.
        if !matches!(pattern, Pat::Path(_)) {
            visit::visit_pat(self, pattern);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let is_search = SEARCHES.iter().any(|search| call.method == search);
        if is_search && call.args.len() == 1 {
            self.decided(&call.receiver);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_binary(&mut self, expression: &'ast ExprBinary) {
        let is_constant =
            |path: &Path| path.segments.last().is_some_and(|last| !last.ident.to_string().contains(char::is_lowercase));
        let is_literal = |side: &Expr| match side {
            Expr::Lit(literal) => matches!(literal.lit, Lit::Str(_)),
            Expr::Path(path) => is_constant(&path.path),
            _ => false,
        };
        if matches!(expression.op, syn::BinOp::Eq(_) | syn::BinOp::Ne(_)) {
            for (text, other) in [(&expression.left, &expression.right), (&expression.right, &expression.left)] {
                if is_literal(other) {
                    self.decided(text);
                }
            }
        }
        visit::visit_expr_binary(self, expression);
    }

    fn visit_expr_match(&mut self, expression: &'ast ExprMatch) {
        let is_literal = |pattern: &Pat| matches!(pattern, Pat::Lit(literal) if matches!(literal.lit, Lit::Str(_)));
        if expression.arms.iter().any(|arm| is_literal(&arm.pat)) {
            self.decided(&expression.expr);
        }
        visit::visit_expr_match(self, expression);
    }

    fn visit_use_rename(&mut self, rename: &'ast UseRename) {
        // Under another name it would not be found.
        if rename.ident == HISTORY_CHANGE.0 {
            self.changes.push(Place::new(self.file, line(rename), format!("`{}`", rename.rename)));
        }
    }

    fn visit_use_path(&mut self, path: &'ast UsePath) {
        if path.ident == HISTORY_CHANGE.0 {
            self.changes.push(Place::new(self.file, line(path), "imports its variants"));
        }
        visit::visit_use_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        visit_macro_arguments(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(path: &str, text: &str) -> [usize; 3] {
        let checkout = Checkout::of_texts(&[(path, text)]).unwrap();
        [history_changes(&checkout), decisions_by_text(&checkout), undocumented(&checkout)].map(|measure| measure.number)
    }

    #[test]
    fn changes_are_built_in_their_module_only() {
        let text = "fn f() { let a = HistoryChange::Applied { x }; g(HistoryChange::Done); }\n\
                    fn g(c: &HistoryChange) { match c { HistoryChange::Applied { .. } => {} HistoryChange::Done => {} } }";
        assert_eq!(numbers("r/src/engine.rs", text), [2, 0, 0]);
        assert_eq!(numbers("r/src/history_changes.rs", text), [0, 0, 0]);
        let text = "use x::HistoryChange as Change; use x::HistoryChange::Done;";
        assert_eq!(numbers("r/src/engine.rs", text), [2, 0, 0]);
    }

    #[test]
    fn searches_in_messages_are_decisions() {
        let text = "fn f() { if error.message.contains(\"x\") || finding.message() == \"y\" || error.to_string().starts_with(\"z\") \
                    || text.contains(\"w\") || matches!(note.find('a'), Some(_)) {} }";
        assert_eq!(numbers("r/src/engine.rs", text), [0, 4, 0]);
        assert_eq!(numbers("r/src/backends/mysql.rs", text), [0, 0, 0]);
        let text = "fn f() { if e.to_string().contains(\"x\") || message == LATE || message.split_once(':').is_some() {} \
                    match message { \"deadlock\" => {} _ => {} } }";
        assert_eq!(numbers("r/src/engine.rs", text), [0, 4, 0]);
    }

    #[test]
    fn public_items_need_documentation() {
        let text = "/// A.\npub struct A;\npub struct B;\nimpl B { pub fn x() {} fn y() {} }\npub(crate) fn f() {}\nmod m { pub fn g() {} }";
        assert_eq!(numbers("r/src/a.rs", text), [0, 0, 3]);
    }
}
