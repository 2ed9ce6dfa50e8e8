//! What is measured: the production code of the crates of a checkout, parsed, and its documents.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use syn::spanned::Spanned;
use syn::{Attribute, ImplItem, Item, Meta};

/// Top-level folders that are packages without being part of what users get.
const NOT_PRODUCTION: [&str; 4] = ["benches", "examples", "fuzz", "tests"];

/// A checkout of this project, read.
#[derive(Default)]
pub struct Checkout {
    /// The source files of its crates, by path.
    pub sources: Vec<Source>,
    /// Its Markdown files, by path.
    pub documents: Vec<Document>,
}

/// A source file, without the items that only tests have.
pub struct Source {
    /// Relative to the root of the checkout, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// The items of production.
    pub syntax: syn::File,
    /// The crate, as paths in code name it.
    pub crate_name: String,
    /// The lines of the items that were removed, because only tests have them.
    tests: Vec<RangeInclusive<usize>>,
}

/// A Markdown file.
pub struct Document {
    /// Relative to the root of the checkout, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

impl Checkout {
    /// Reads a checkout.
    ///
    /// # Errors
    ///
    /// If the folder has no crates, or a file cannot be read or parsed.
    pub fn read(root: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        for name in entries(root)? {
            let folder = root.join(&name);
            let is_crate = folder.join("Cargo.toml").is_file() && folder.join("src").is_dir();
            if is_crate && !NOT_PRODUCTION.contains(&&*name) {
                let manifest = format!("{name}/Cargo.toml");
                files.push((manifest.clone(), read_text(root, &manifest)?));
                collect(root, &format!("{name}/src"), "rs", &mut files)?;
            }
        }
        if files.is_empty() {
            return Err(format!("`{}` has no crates: no folder in it has `Cargo.toml` and `src`", root.display()));
        }
        collect(root, "", "md", &mut files)?;
        let texts: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        Checkout::of_texts(&texts)
    }

    /// A checkout of these files, each with its path. A crate without a `Cargo.toml` has the name of its folder.
    ///
    /// # Errors
    ///
    /// If a Rust file does not parse.
    pub fn of_texts(files: &[(&str, &str)]) -> Result<Self, String> {
        let mut checkout = Checkout::default();
        let manifests = files.iter().filter_map(|(path, text)| Some((path.strip_suffix("/Cargo.toml")?, package_name(text)?)));
        let packages: BTreeMap<&str, &str> = manifests.collect();
        for (path, text) in files {
            let folder = path.split('/').next().unwrap_or_default();
            if path.ends_with(".md") {
                checkout.documents.push(Document { path: path.to_string(), text: text.to_string() });
            } else if path.ends_with(".rs") && is_production(path) {
                let package = packages.get(folder).unwrap_or(&folder);
                checkout.sources.push(Source::parse(path, text, &package.replace('-', "_"))?);
            }
        }
        checkout.sources.sort_by(|left, right| left.path.cmp(&right.path));
        checkout.documents.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(checkout)
    }
}

impl Source {
    fn parse(path: &str, text: &str, crate_name: &str) -> Result<Self, String> {
        let mut syntax = syn::parse_file(text).map_err(|error| format!("{path}:{}: {error}", error.span().start().line))?;
        let mut tests = Vec::new();
        remove_tests(&mut syntax.items, &mut tests);
        Ok(Source { path: path.to_owned(), text: text.to_owned(), syntax, crate_name: crate_name.to_owned(), tests })
    }

    /// Whether a line belongs to an item that only tests have.
    pub fn is_in_tests(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }

    /// The module that the file is, from the root of its crate.
    pub fn module(&self) -> Vec<String> {
        let inside = self.path.split_once("/src/").map_or(&*self.path, |(_, inside)| inside);
        let mut module: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        let is_root = module.len() == 1 && ["lib", "main"].contains(&&*module[0]);
        if is_root || module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        module
    }

    /// Whether the file is the module of this name or inside it.
    pub fn is_in_module(&self, name: &str) -> bool {
        self.module().iter().any(|part| part == name)
    }

    /// All tokens of production, without their groups. Only the first line of a token counts.
    pub fn tokens(&self) -> Vec<TokenTree> {
        let stream: TokenStream = self.text.parse().unwrap_or_default();
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        tokens.retain(|token| !self.is_in_tests(token.span().start().line));
        tokens
    }
}

/// The line of a thing, from 1.
pub fn line(spanned: &impl Spanned) -> usize {
    spanned.span().start().line
}

/// Whether an attribute hides the item from the documentation.
pub fn is_hidden(attributes: &[Attribute]) -> bool {
    let hides = |attribute: &Attribute| matches!(&attribute.meta, Meta::List(list) if list.tokens.to_string() == "hidden");
    attributes.iter().any(|attribute| attribute.path().is_ident("doc") && hides(attribute))
}

/// Whether an item stands in for another where a condition does not hold.
pub fn is_alternative(attributes: &[Attribute]) -> bool {
    let negates =
        |attribute: &Attribute| matches!(&attribute.meta, Meta::List(list) if list.tokens.to_string().starts_with("not"));
    attributes.iter().any(|attribute| attribute.path().is_ident("cfg") && negates(attribute))
}

/// The attributes of an item.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Names of files and folders, sorted, without hidden ones and links.
fn entries(folder: &Path) -> Result<Vec<String>, String> {
    let failed = |error: std::io::Error| format!("`{}` cannot be read: {error}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !entry.file_type().map_err(failed)?.is_symlink() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Reads the files of a folder that have this extension, with their paths from the root.
fn collect(root: &Path, folder: &str, extension: &str, files: &mut Vec<(String, String)>) -> Result<(), String> {
    for name in entries(&root.join(folder))? {
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let full = root.join(&path);
        if full.is_dir() {
            if name != "target" {
                collect(root, &path, extension, files)?;
            }
        } else if full.extension().is_some_and(|ending| ending == extension) {
            let text = read_text(root, &path)?;
            files.push((path, text));
        }
    }
    Ok(())
}

fn read_text(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("`{path}` cannot be read: {error}"))
}

/// The name of the package in a manifest, which the name of its folder may differ from.
fn package_name(manifest: &str) -> Option<&str> {
    manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
}

fn is_production(path: &str) -> bool {
    let inside = path.split_once("/src/").map_or(path, |(_, inside)| inside);
    !inside.split('/').any(|part| part == "tests" || part == "tests.rs") && !inside.ends_with("backends/fake.rs")
}

fn remove_tests(items: &mut Vec<Item>, removed: &mut Vec<RangeInclusive<usize>>) {
    items.retain(|item| keep(attributes(item), item, removed));
    for item in items {
        match item {
            Item::Mod(module) => {
                if let Some((_, items)) = &mut module.content {
                    remove_tests(items, removed);
                }
            }
            Item::Impl(block) => block.items.retain(|item| match item {
                ImplItem::Const(member) => keep(&member.attrs, member, removed),
                ImplItem::Fn(member) => keep(&member.attrs, member, removed),
                ImplItem::Type(member) => keep(&member.attrs, member, removed),
                _ => true,
            }),
            _ => {}
        }
    }
}

/// Whether an item is part of production; if not, its lines are noted.
fn keep(attributes: &[Attribute], spanned: &impl Spanned, removed: &mut Vec<RangeInclusive<usize>>) -> bool {
    let keeps = !attributes.iter().any(is_for_tests);
    if !keeps {
        let span = spanned.span();
        removed.push(span.start().line..=span.end().line);
    }
    keeps
}

/// `#[test]`, `#[cfg(test)]` and `#[cfg(all(test, ...))]`.
fn is_for_tests(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
    let condition = list.tokens.to_string().replace(' ', "");
    let requires_test = condition == "test" || (condition.starts_with("all(") && condition.contains("test"));
    attribute.path().is_ident("cfg") && requires_test && !condition.contains("not(")
}

fn flatten(stream: TokenStream, tokens: &mut Vec<TokenTree>) {
    for token in stream {
        match token {
            TokenTree::Group(group) => flatten(group.stream(), tokens),
            token => tokens.push(token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_tests_have_is_left_out() {
        let text = "struct A;\n#[cfg(test)]\nmod tests {\n    struct B;\n}\nimpl A {\n    #[cfg(test)]\n    fn b() {}\n    fn c() {}\n}\n\
                    #[cfg(not(test))]\nstruct C;\n";
        let files = [("a/src/lib.rs", text), ("a/src/tests.rs", ""), ("a/src/b/tests/c.rs", ""), ("a/src/backends/fake.rs", "")];
        let checkout = Checkout::of_texts(&files).unwrap();
        let [source] = &checkout.sources[..] else { panic!("one file is production") };
        assert_eq!(source.syntax.items.len(), 3);
        let in_tests: Vec<usize> = (1..=12).filter(|line| source.is_in_tests(*line)).collect();
        assert_eq!(in_tests, [2, 3, 4, 5, 7, 8]);
        let words: Vec<String> = source.tokens().iter().map(ToString::to_string).collect();
        assert!(words.contains(&"c".to_owned()) && !words.contains(&"B".to_owned()), "{words:?}");
    }

    #[test]
    fn files_are_modules_of_a_crate() {
        for (path, crate_name, module) in [
            ("cargo-migrate/src/main.rs", "cargo_migrate", ""),
            ("migrate-core/src/lib.rs", "migrate_model", ""),
            ("a/src/backends/postgres.rs", "a", "backends::postgres"),
            ("a/src/backends/postgres/mod.rs", "a", "backends::postgres"),
        ] {
            let manifest = ("migrate-core/Cargo.toml", "[package]\nname = \"migrate-model\"\nversion = \"1.0.0\"");
            let checkout = Checkout::of_texts(&[(path, ""), manifest]).unwrap();
            let source = &checkout.sources[0];
            assert_eq!((&*source.crate_name, &*source.module().join("::")), (crate_name, module));
        }
    }

    #[test]
    fn a_file_that_does_not_parse_is_an_error() {
        let error = Checkout::of_texts(&[("a/src/lib.rs", "struct A;\nstruct {")]).err().unwrap();
        assert!(error.starts_with("a/src/lib.rs:2: "), "{error}");
    }
}
