//! Lists of members: whether members know each other, and whether adding to a list changes its length by hand.

use super::checkout::line;
use super::{Checkout, Measure, Place, Source, visit_macro_arguments};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};
use syn::{Item, Macro, Type, UseTree};

/// Folders with a member in each file, beside a file of the same name that lists them.
const LISTS: [&str; 13] = [
    "backends",
    "catalogues",
    "checks",
    "commands",
    "gates",
    "layouts",
    "origins",
    "probes",
    "recipes",
    "rules",
    "steps",
    "targets",
    "throttles",
];

/// Lists without a folder.
const FLAT_LISTS: [&str; 1] = ["codes"];

/// Uses of a member by another member of its list: in `use`, and in paths. A member's own submodules are part of it.
pub fn sibling_imports(checkout: &Checkout) -> [Measure; 2] {
    let mut members: BTreeMap<(String, Vec<String>), BTreeSet<String>> = BTreeMap::new();
    for source in &checkout.sources {
        if let Some((list, member)) = membership(source) {
            members.entry((source.crate_name.clone(), list)).or_default().insert(member);
        }
    }
    let (mut places, mut importing) = (Vec::new(), BTreeSet::new());
    for source in &checkout.sources {
        let Some((list, member)) = membership(source) else { continue };
        let names = &members[&(source.crate_name.clone(), list.clone())];
        let mut paths = Paths { module: source.module(), all: Vec::new() };
        paths.visit_file(&source.syntax);
        let mut imports = BTreeSet::new();
        for (line, path) in paths.all {
            let sibling = path.strip_prefix(&*list).and_then(|rest| rest.first());
            if let Some(sibling) = sibling.filter(|name| **name != member && names.contains(*name)) {
                imports.insert((line, sibling.clone()));
            }
        }
        if !imports.is_empty() {
            importing.insert((list, member));
        }
        places.extend(imports.into_iter().map(|(line, sibling)| Place::new(&source.path, line, format!("`{sibling}`"))));
    }
    [
        Measure { name: "members of a list that import a sibling".to_owned(), number: importing.len(), places: Vec::new() },
        Measure::of_places("  imports of a sibling", places),
    ]
}

/// Statics and constants of type `[X; N]` or `&[X; N]` in lists: each new member changes `N`.
pub fn counted_arrays(checkout: &Checkout) -> Measure {
    let mut places = Vec::new();
    for source in &checkout.sources {
        let module = source.module();
        let Some(name) = module.last() else { continue };
        if !LISTS.contains(&&**name) && !FLAT_LISTS.contains(&&**name) {
            continue;
        }
        for item in &source.syntax.items {
            let (name, kind) = match item {
                Item::Static(item) => (&item.ident, &*item.ty),
                Item::Const(item) => (&item.ident, &*item.ty),
                _ => continue,
            };
            let kind = if let Type::Reference(reference) = kind { &*reference.elem } else { kind };
            if matches!(kind, Type::Array(_)) {
                places.push(Place::new(&source.path, line(name), format!("`{name}`")));
            }
        }
    }
    Measure::of_places("counted arrays in lists", places)
}

/// The module of the list and the name of the member, if the file is one or is a part of one.
fn membership(source: &Source) -> Option<(Vec<String>, String)> {
    let module = source.module();
    let at = module.iter().position(|part| LISTS.contains(&&**part))?;
    let member = module.get(at + 1)?.clone();
    Some((module[..=at].to_vec(), member))
}

/// Paths, from the root of the crate. A path that begins with the name of a list is one of an imported list.
struct Paths {
    module: Vec<String>,
    all: Vec<(usize, Vec<String>)>,
}

impl Paths {
    fn add(&mut self, line: usize, path: &[String]) {
        let mut absolute = self.module.clone();
        for (index, part) in path.iter().enumerate() {
            match (&**part, index) {
                ("crate", 0) => absolute.clear(),
                ("self", _) => {}
                ("super", _) => drop(absolute.pop()),
                (list, 0) if LISTS.contains(&list) => {
                    let outside = self.module.iter().position(|part| part == list).unwrap_or(self.module.len());
                    absolute = [&self.module[..outside], &[list.to_owned()]].concat();
                }
                (part, _) => absolute.push(part.to_owned()),
            }
        }
        self.all.push((line, absolute));
    }

    fn add_use(&mut self, tree: &UseTree, before: &[String]) {
        match tree {
            UseTree::Path(path) => self.add_use(&path.tree, &[before, &[path.ident.to_string()]].concat()),
            UseTree::Name(name) => self.add(line(name), &[before, &[name.ident.to_string()]].concat()),
            UseTree::Rename(rename) => self.add(line(rename), &[before, &[rename.ident.to_string()]].concat()),
            UseTree::Glob(glob) => self.add(line(glob), before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(tree, before)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_use(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.add(line(path), &parts);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        visit_macro_arguments(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_know_each_other() {
        let checkout = Checkout::of_texts(&[
            ("a/src/commands.rs", "mod up;\nmod down;\nfn f() { up::run() }"),
            ("a/src/commands/up.rs", "use super::shared;\nuse crate::commands::up::x;\nuse crate::layouts;"),
            ("a/src/commands/down.rs", "use super::{up::{self, Y}, shared};\nfn f() { crate::commands::redo::run(); }"),
            (
                "a/src/commands/redo.rs",
                "use crate::commands;\nfn f() { commands::up::run(); format!(\"{}\", super::down::x()); }",
            ),
            ("a/src/backends/mysql.rs", "mod access;\nuse self::access::A;\nmod inner { use super::super::sqlite; }"),
            ("a/src/backends/mysql/access.rs", "use super::super::sqlite::B;\nuse super::C;"),
            ("a/src/backends/sqlite.rs", "#[cfg(test)] mod tests { use crate::backends::mysql; }"),
            ("b/src/rules/up.rs", "use super::down;"),
        ]);
        let [members, imports] = sibling_imports(&checkout.unwrap());
        let places: Vec<String> =
            imports.places.iter().map(|place| format!("{}:{} {}", &place.file[6..], place.line, place.note)).collect();
        let expected = [
            "backends/mysql.rs:3 `sqlite`",
            "backends/mysql/access.rs:1 `sqlite`",
            "commands/down.rs:1 `up`",
            "commands/down.rs:2 `redo`",
            "commands/redo.rs:2 `down`",
            "commands/redo.rs:2 `up`",
        ];
        assert_eq!(places, expected);
        assert_eq!(members.number, 3);
    }

    #[test]
    fn counted_arrays_in_lists_only() {
        let checkout = Checkout::of_texts(&[
            (
                "a/src/rules.rs",
                "static ALL: [&Rule; 2] = [&A, &B];\nconst SOME: &[u8; 1] = &[1];\nstatic OPEN: &[&Rule] = &[&A];",
            ),
            ("a/src/codes.rs", "pub static ALL: [&Code; 1] = [&A];"),
            ("a/src/other.rs", "static ALL: [u8; 1] = [1];"),
        ]);
        assert_eq!(counted_arrays(&checkout.unwrap()).number, 3);
    }
}
