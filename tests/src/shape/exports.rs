//! Types that users of `migrate-runtime` meet in signatures and cannot name.
//!
//! From what `lib.rs` exports, the walk follows the types of public functions, fields, variants and associated types to public
//! types of these crates. Names are resolved by `use` and by modules, as far as that goes without types. What is hidden from the
//! documentation is neither exported nor followed. Bounds on traits that are sealed lead nowhere.

use super::checkout::{attributes, is_hidden, line};
use super::{Checkout, Measure, Place, Source};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use syn::visit::{self, Visit};
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, Signature, TraitItem, Type, UseTree, Visibility};

/// The crate that applications depend on.
const RUNTIME: &str = "migrate_runtime";

/// How many `use` are followed from one to the next.
const LONGEST_CHAIN: usize = 12;

/// Public types that exported items name, directly or through such a type, and that are not exported: first those that the
/// runtime's own items name, then those that are reached only through items of other crates.
pub fn not_exported(checkout: &Checkout) -> [Measure; 2] {
    let index = Index::of(checkout);
    let exported = index.exports();
    let mut reached: BTreeMap<usize, (usize, String)> = BTreeMap::new();
    // What the runtime itself names is reached first.
    let (defined, passed_on): (Vec<usize>, Vec<usize>) =
        exported.iter().partition(|item| index.items[**item].crate_name == RUNTIME);
    let mut queue: VecDeque<usize> = defined.into_iter().chain(passed_on).collect();
    while let Some(from) = queue.pop_front() {
        for (named, by) in index.named_by(from) {
            if !exported.contains(&named) && index.items[named].is_public_type() && !reached.contains_key(&named) {
                reached.insert(named, (from, by));
                queue.push_back(named);
            }
        }
    }
    let (mut direct, mut further) = (Vec::new(), Vec::new());
    for (named, (from, by)) in reached {
        let (named, from) = (&index.items[named], &index.items[from]);
        let place =
            Place::new(&named.source.path, named.line, format!("`{}`, named by `{by}` of {}", named.name, from.crate_name));
        if from.crate_name == RUNTIME { direct.push(place) } else { further.push(place) }
    }
    [
        Measure::of_places("types that the runtime's API names and does not export", direct),
        Measure::of_places("  further ones, reached through other crates", further),
    ]
}

/// An item that has a name.
struct Entry<'c> {
    source: &'c Source,
    crate_name: String,
    module: Vec<String>,
    name: String,
    line: usize,
    item: &'c Item,
}

impl Entry<'_> {
    fn is_public_type(&self) -> bool {
        let visibility = match self.item {
            Item::Struct(item) => &item.vis,
            Item::Enum(item) => &item.vis,
            Item::Union(item) => &item.vis,
            Item::Type(item) => &item.vis,
            Item::Trait(item) => &item.vis,
            _ => return false,
        };
        matches!(visibility, Visibility::Public(_))
    }
}

/// A module: what is defined in it, and what its `use` bring in.
#[derive(Default)]
struct Scope {
    items: BTreeMap<String, usize>,
    imports: Vec<Import>,
    /// The modules that it declares, and whether they are public.
    modules: Vec<(String, bool)>,
}

struct Import {
    name: String,
    path: Vec<String>,
    is_glob: bool,
    is_public: bool,
}

/// All named items and modules of the crates.
struct Index<'c> {
    items: Vec<Entry<'c>>,
    impls: Vec<(String, Vec<String>, &'c ItemImpl)>,
    scopes: BTreeMap<(String, Vec<String>), Scope>,
    crates: BTreeSet<String>,
}

/// What a path leads to.
enum Target {
    Item(usize),
    Module(String, Vec<String>),
}

impl<'c> Index<'c> {
    fn of(checkout: &'c Checkout) -> Self {
        let crates = checkout.sources.iter().map(|source| source.crate_name.clone()).collect();
        let mut index = Index { items: Vec::new(), impls: Vec::new(), scopes: BTreeMap::new(), crates };
        for source in &checkout.sources {
            index.add(source, source.module(), &source.syntax.items);
        }
        index
    }

    fn add(&mut self, source: &'c Source, module: Vec<String>, items: &'c [Item]) {
        let crate_name = source.crate_name.clone();
        let mut scope = Scope::default();
        for item in items {
            let name = match item {
                Item::Struct(item) => &item.ident,
                Item::Enum(item) => &item.ident,
                Item::Union(item) => &item.ident,
                Item::Type(item) => &item.ident,
                Item::Trait(item) => &item.ident,
                Item::Fn(item) => &item.sig.ident,
                Item::Static(item) => &item.ident,
                Item::Const(item) => &item.ident,
                Item::Impl(block) => {
                    self.impls.push((crate_name.clone(), module.clone(), block));
                    continue;
                }
                Item::Mod(inner) => {
                    let is_public = matches!(inner.vis, Visibility::Public(_)) && !is_hidden(&inner.attrs);
                    scope.modules.push((inner.ident.to_string(), is_public));
                    if let Some((_, items)) = &inner.content {
                        self.add(source, [&module[..], &[inner.ident.to_string()]].concat(), items);
                    }
                    continue;
                }
                Item::Use(item) => {
                    let is_public = matches!(item.vis, Visibility::Public(_)) && !is_hidden(&item.attrs);
                    add_imports(&item.tree, &[], is_public, &mut scope.imports);
                    continue;
                }
                _ => continue,
            };
            scope.items.insert(name.to_string(), self.items.len());
            self.items.push(Entry {
                source,
                crate_name: crate_name.clone(),
                module: module.clone(),
                name: name.to_string(),
                line: line(name),
                item,
            });
        }
        self.scopes.insert((crate_name, module), scope);
    }

    /// What a path means in a module.
    fn find(&self, crate_name: &str, module: &[String], path: &[String], depth: usize) -> Option<Target> {
        let Some((head, rest)) = path.split_first() else {
            return Some(Target::Module(crate_name.to_owned(), module.to_vec()));
        };
        if depth > LONGEST_CHAIN {
            return None;
        }
        match &**head {
            "crate" => return self.find(crate_name, &[], rest, depth + 1),
            "self" => return self.find(crate_name, module, rest, depth + 1),
            "super" => return self.find(crate_name, &module[..module.len().checked_sub(1)?], rest, depth + 1),
            _ => {}
        }
        let scope = self.scopes.get(&(crate_name.to_owned(), module.to_vec()))?;
        if let (Some(item), []) = (scope.items.get(head), rest) {
            return Some(Target::Item(*item));
        }
        if scope.modules.iter().any(|(name, _)| name == head) {
            let module = [module, std::slice::from_ref(head)].concat();
            return self.find(crate_name, &module, rest, depth + 1);
        }
        for import in scope.imports.iter().filter(|import| import.is_glob || import.name == *head) {
            let path = if import.is_glob { [&import.path[..], path].concat() } else { [&import.path[..], rest].concat() };
            let target = self.find(crate_name, module, &path, depth + 1);
            if target.is_some() {
                return target;
            }
        }
        if self.crates.contains(head) { self.find(head, &[], rest, depth + 1) } else { None }
    }

    /// What users can name.
    fn exports(&self) -> BTreeSet<usize> {
        let mut exported = BTreeSet::new();
        self.export_module(RUNTIME, &[], &mut exported, 0);
        exported
    }

    fn export_module(&self, crate_name: &str, module: &[String], exported: &mut BTreeSet<usize>, depth: usize) {
        let Some(scope) = self.scopes.get(&(crate_name.to_owned(), module.to_vec())) else { return };
        if depth > LONGEST_CHAIN {
            return;
        }
        let items = scope.items.values().filter(|item| is_public(self.items[**item].item));
        exported.extend(items.filter(|item| !is_hidden(attributes(self.items[**item].item))));
        for (name, _) in scope.modules.iter().filter(|(_, is_public)| *is_public) {
            self.export_module(crate_name, &[module, std::slice::from_ref(name)].concat(), exported, depth + 1);
        }
        for import in scope.imports.iter().filter(|import| import.is_public) {
            match self.find(crate_name, module, &import.path, 0) {
                Some(Target::Item(item)) => drop(exported.insert(item)),
                Some(Target::Module(name, module)) => self.export_module(&name, &module, exported, depth + 1),
                None => {}
            }
        }
    }

    /// The types that the public signature of an item names, each with the part that names it.
    fn named_by(&self, item: usize) -> Vec<(usize, String)> {
        let Entry { crate_name, module, name, item: syntax, .. } = &self.items[item];
        let mut names = Names { index: self, crate_name, module, part: name.clone(), all: Vec::new() };
        match syntax {
            Item::Struct(item) => names.visit_public_fields(name, &item.fields, false),
            Item::Enum(item) => {
                for variant in &item.variants {
                    names.visit_public_fields(&format!("{name}::{}", variant.ident), &variant.fields, true);
                }
            }
            Item::Type(item) => names.visit_type(&item.ty),
            Item::Static(item) => names.visit_type(&item.ty),
            Item::Const(item) => names.visit_type(&item.ty),
            Item::Fn(item) => names.visit_signature(&item.sig),
            Item::Trait(item) => {
                for member in &item.items {
                    if let TraitItem::Fn(member) = member {
                        names.visit_member(name, &member.attrs, &member.sig);
                    }
                }
            }
            _ => {}
        }
        let mut all = names.all;
        for (crate_name, module, block) in &self.impls {
            if self.self_type(crate_name, module, block) != Some(item) {
                continue;
            }
            let mut names = Names { index: self, crate_name, module, part: name.clone(), all: Vec::new() };
            for member in &block.items {
                match member {
                    ImplItem::Fn(member) if block.trait_.is_none() && matches!(member.vis, Visibility::Public(_)) => {
                        names.visit_member(name, &member.attrs, &member.sig);
                    }
                    ImplItem::Const(member) if matches!(member.vis, Visibility::Public(_)) => {
                        names.part = format!("{name}::{}", member.ident);
                        names.visit_type(&member.ty);
                    }
                    ImplItem::Type(member) => {
                        names.part = format!("{name}::{}", member.ident);
                        names.visit_type(&member.ty);
                    }
                    _ => {}
                }
            }
            all.extend(names.all);
        }
        all
    }

    fn self_type(&self, crate_name: &str, module: &[String], block: &ItemImpl) -> Option<usize> {
        let Type::Path(path) = &*block.self_ty else { return None };
        match self.find(crate_name, module, &parts(&path.path), 0) {
            Some(Target::Item(item)) => Some(item),
            _ => None,
        }
    }
}

/// Collects the items that a signature names.
struct Names<'i, 'c> {
    index: &'i Index<'c>,
    crate_name: &'i str,
    module: &'i [String],
    part: String,
    all: Vec<(usize, String)>,
}

impl Names<'_, '_> {
    fn visit_public_fields(&mut self, owner: &str, fields: &Fields, is_variant: bool) {
        for (index, field) in fields.iter().enumerate() {
            if (is_variant || matches!(field.vis, Visibility::Public(_))) && !is_hidden(&field.attrs) {
                let name = field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string);
                self.part = format!("{owner}.{name}");
                self.visit_type(&field.ty);
            }
        }
    }

    fn visit_member(&mut self, owner: &str, attributes: &[Attribute], signature: &Signature) {
        if !is_hidden(attributes) {
            self.part = format!("{owner}::{}", signature.ident);
            self.visit_signature(signature);
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_, '_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(Target::Item(item)) = self.index.find(self.crate_name, self.module, &parts(path), 0) {
            self.all.push((item, self.part.clone()));
        }
        visit::visit_path(self, path);
    }
}

fn parts(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

fn is_public(item: &Item) -> bool {
    let visibility = match item {
        Item::Struct(item) => &item.vis,
        Item::Enum(item) => &item.vis,
        Item::Union(item) => &item.vis,
        Item::Type(item) => &item.vis,
        Item::Trait(item) => &item.vis,
        Item::Fn(item) => &item.vis,
        Item::Static(item) => &item.vis,
        Item::Const(item) => &item.vis,
        _ => return false,
    };
    matches!(visibility, Visibility::Public(_))
}

fn add_imports(tree: &UseTree, before: &[String], is_public: bool, imports: &mut Vec<Import>) {
    let (name, path, is_glob) = match tree {
        UseTree::Path(path) => {
            add_imports(&path.tree, &[before, &[path.ident.to_string()]].concat(), is_public, imports);
            return;
        }
        UseTree::Group(group) => {
            group.items.iter().for_each(|tree| add_imports(tree, before, is_public, imports));
            return;
        }
        UseTree::Name(leaf) if leaf.ident == "self" => (before.last().cloned(), before.to_vec(), false),
        UseTree::Name(leaf) => {
            let name = leaf.ident.to_string();
            (Some(name.clone()), [before, &[name]].concat(), false)
        }
        UseTree::Rename(leaf) if leaf.ident == "self" => (Some(leaf.rename.to_string()), before.to_vec(), false),
        UseTree::Rename(leaf) => (Some(leaf.rename.to_string()), [before, &[leaf.ident.to_string()]].concat(), false),
        UseTree::Glob(_) => (Some(String::new()), before.to_vec(), true),
    };
    imports.extend(name.map(|name| Import { name, path, is_glob, is_public }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(measure: &Measure) -> Vec<&str> {
        measure.places.iter().filter_map(|place| place.note.split('`').nth(1)).collect()
    }

    #[test]
    fn types_that_are_named_and_not_exported() {
        let checkout = Checkout::of_texts(&[
            (
                "migrate-runtime/src/lib.rs",
                "mod status;\nmod sealed;\npub mod codes;\npub use crate::status::{Status, shown as name};\npub use migrate_core::set::Set;\n\
                 pub use migrate_core::target::*;",
            ),
            (
                "migrate-runtime/src/status.rs",
                "use migrate_core::history::{History, State as Named};\nuse migrate_core::{set::Set, target::Target};\nuse crate::sealed;\n\
                 pub struct Status { pub set: Set, plan: crate::sealed::Plan }\n\
                 impl Status { pub fn history(&self) -> &[History] {} pub fn target(&self) -> Target {} fn private(&self) -> sealed::Plan {}\n\
                 #[doc(hidden)] pub fn hidden(&self) -> sealed::Plan {} }\n\
                 pub fn shown(state: Option<Named>) -> String {}",
            ),
            ("migrate-runtime/src/sealed.rs", "pub struct Plan;\npub(crate) struct Inner;"),
            (
                "migrate-runtime/src/codes.rs",
                "use migrate_core::code::Code;\npub static A: Code = 1;\nstatic B: crate::sealed::Plan = 1;\n#[doc(hidden)] pub static C: crate::sealed::Plan = 1;",
            ),
            ("migrate-core/src/lib.rs", "pub mod code; pub mod history; pub mod set; pub mod target;"),
            ("migrate-core/src/code.rs", "pub struct Code;"),
            (
                "migrate-core/src/history.rs",
                "pub struct History(pub Record);\npub enum State { A { b: u8 } }\npub struct Record { pub c: Private }\nstruct Private;",
            ),
            (
                "migrate-core/src/set.rs",
                "pub struct Set;\nimpl std::str::FromStr for Set { type Err = SetError; }\npub struct SetError;",
            ),
            ("migrate-core/src/target.rs", "pub enum Target { A(Box<Target>) }\npub type Other = Target;"),
        ]);
        let [direct, further] = not_exported(&checkout.unwrap());
        assert_eq!(names(&direct), ["Code", "History", "State"]);
        assert_eq!(names(&further), ["Record", "SetError"]);
        assert_eq!(direct.places[1].note, "`History`, named by `Status::history` of migrate_runtime");
    }

    #[test]
    fn a_checkout_without_the_runtime_has_none() {
        let checkout = Checkout::of_texts(&[("migrate-core/src/lib.rs", "pub struct A;")]).unwrap();
        assert_eq!(not_exported(&checkout).map(|measure| measure.number), [0, 0]);
    }
}
