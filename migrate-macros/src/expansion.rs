//! Reads and checks a folder and creates the tokens of the macro: the embedded set, or a compile error with all findings.

use crate::arguments::Arguments;
use migrate_lint::{folder_lint, rules};
use migrate_model::dialect::Dialect;
use migrate_model::files::boundary::ALLOW_OUTSIDE;
use migrate_model::files::check::{self, CheckOptions};
use migrate_model::files::folder::Folder;
use migrate_model::files::project::Project;
use migrate_model::finding::Finding;
use migrate_model::plural::and_more;
use migrate_model::render;
use proc_macro2::{Literal, TokenStream};
use quote::quote;
use std::env;
use std::path::{Path, PathBuf};

/// The expression that replaces the macro call.
pub fn expand(arguments: &Arguments) -> TokenStream {
    let runtime = &arguments.runtime;
    // The environment of rustc is sufficient, so the macro also works with `cargo package` and vendored sources.
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let package = env::var("CARGO_PKG_NAME").unwrap_or_default();
    // `concat!(env!("CARGO_MANIFEST_DIR"), ...)` is the same folder as a relative one.
    let relative =
        |folder: &String| Path::new(folder).strip_prefix(&root).map_or(folder.clone(), |path| path.display().to_string());
    let folder = arguments.folder.as_ref().map(relative);
    let (mut project, mut findings) = Project::of_package(&root, folder.as_deref(), &package, &allowed_folders());
    project.settings.dialect = project.settings.dialect.or(only_database());
    let mut checked = None;
    match project.settings.dialect {
        Some(dialect) if findings.is_empty() => {
            let folder = project.read(dialect);
            findings = check::check(&folder, &project.settings, CheckOptions::default());
            findings.extend(folder_lint::for_build(&folder, &project.settings));
            checked = Some(folder);
        }
        None if findings.is_empty() => {
            let several =
                "or enable only the feature of one database for `migrate-runtime`, in all packages that are built together";
            findings.push(project.no_dialect().help(several));
        }
        _ => {}
    }
    let findings = as_compiler_shows(findings, &root);
    let tracked = tracked_files(&project, checked.as_ref());
    let warnings = warnings(&findings);
    if findings.iter().any(Finding::is_error) {
        let message = error_message(&project.service, &findings);
        // The empty set prevents further type errors.
        return quote! {{
            #tracked
            ::core::compile_error!(#message);
            #runtime::MigrationSet::embedded("", &[], 0, [0; 32], 0)
        }};
    }
    let Some(folder) = checked else { return TokenStream::new() };
    let (text, index) = folder.set.pack();
    let (text, index) = (Literal::string(&text), Literal::byte_string(&index));
    let summary = folder.set.summary();
    let (count, checksums) = (summary.count, summary.checksums);
    let digest = Literal::byte_string(summary.digest.as_bytes());
    quote! {{
        #tracked
        #warnings
        #runtime::MigrationSet::embedded(#text, #index, #count, *#digest, #checksums)
    }}
}

/// The database of an application that uses one: the only one whose feature of `migrate-runtime` is enabled.
fn only_database() -> Option<Dialect> {
    let features =
        [(cfg!(feature = "postgres"), "postgres"), (cfg!(feature = "mysql"), "mysql"), (cfg!(feature = "sqlite"), "sqlite")];
    let mut enabled = features.into_iter().filter(|(is_enabled, _)| *is_enabled).filter_map(|(_, name)| name.parse().ok());
    enabled.next().filter(|_| enabled.next().is_none())
}

/// The folders outside the repository that the user allows.
fn allowed_folders() -> Vec<PathBuf> {
    let folders = env::var_os(ALLOW_OUTSIDE).unwrap_or_default();
    env::split_paths(&folders).filter(|folder| !folder.as_os_str().is_empty()).collect()
}

/// All findings. The first line, which is all that some tools show, contains the first error with its code and place.
fn error_message(service: &str, findings: &[Finding]) -> String {
    let has_rule_finding = findings.iter().any(|finding| rules::find(finding.code.name).is_some());
    let allow = if has_rule_finding {
        "\n\nto suppress a finding of a safety rule, add above the statement: `-- migrate: allow RULE: reason`"
    } else {
        ""
    };
    let mut errors = findings.iter().filter(|finding| finding.is_error());
    let first = errors.next().map(|error| format!(": error[{}] {}", error.code, error.one_line())).unwrap_or_default();
    let more = and_more(errors.count(), "error");
    let all = render::findings(findings, false);
    format!("cannot embed the migrations of `{service}`{first}{more}\n\n{all}{allow}\n")
}

/// The findings with paths as the compiler shows them: Cargo runs it in the root of the workspace.
fn as_compiler_shows(findings: Vec<Finding>, root: &Path) -> Vec<Finding> {
    let prefix = env::current_dir().ok().and_then(|folder| root.strip_prefix(folder).ok().map(Path::to_owned));
    let Some(prefix) = prefix.filter(|prefix| !prefix.as_os_str().is_empty()) else { return findings };
    let located = |mut finding: Finding| {
        if let Some(place) = &mut finding.place {
            place.file = prefix.join(&place.file).display().to_string();
        }
        finding
    };
    findings.into_iter().map(located).collect()
}

/// Makes the compiler track the files, so that a change rebuilds the application. On stable Rust, only the `include` macros do
/// this. The included bytes are unused and therefore not part of the binary.
fn tracked_files(project: &Project, folder: Option<&Folder>) -> TokenStream {
    let settings = project.settings_file.iter().chain(&project.package_settings).cloned();
    // Also an empty one: the next `cargo migrate new` changes it.
    let lock = folder.map(|folder| folder.lock_path.clone()).filter(|path| path.is_file());
    let files = folder.into_iter().flat_map(|folder| folder.files.iter().map(|(file, _)| file.path.clone()));
    let paths = settings.chain(lock).chain(files);
    let includes = paths.filter_map(|path| {
        let path = absolute(&path);
        let path = path.to_str()?.to_owned();
        Some(quote! { ::core::include_bytes!(#path); })
    });
    quote! {
        const _: () = {
            // The compiler also tracks the variable.
            let _ = ::core::option_env!(#ALLOW_OUTSIDE);
            #(#includes)*
        };
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A warning of the compiler for each finding that is not an error. On stable Rust, a macro can only warn by using a deprecated
/// item.
fn warnings(findings: &[Finding]) -> TokenStream {
    let (listed, omitted) = render::shown(findings.iter().filter(|finding| !finding.is_error()));
    let texts = listed.into_iter().map(|finding| render::finding(finding, false)).chain(omitted);
    let notes = texts.map(|text| {
        let note = format!("\n{text}\n");
        quote! {
            const _: () = {
                #[deprecated(note = #note)]
                const MIGRATIONS: () = ();
                MIGRATIONS
            };
        }
    });
    notes.collect()
}
