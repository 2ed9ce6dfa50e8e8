//! Guarantees about the source code and the documents. The name of each test states the guarantee.

use migrate_model::files::settings::SETTINGS;
use migrate_tests::shape::{self, Checkout};
use std::fs;
use std::path::{Path, PathBuf};

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
    files
}

/// The part of a file before its tests.
fn production(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text)
}

#[test]
fn the_model_has_no_async_no_database_no_clock_and_no_environment() {
    for (path, text) in sources(&root().join("migrate-model/src")) {
        for word in ["async ", "std::env", "SystemTime", "Instant"] {
            let code: String = production(&text).lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            assert!(!code.contains(word), "{} contains `{word}`", path.display());
        }
        let reads_files = ["folder.rs", "project.rs", "regular_file.rs", "boundary.rs"].iter().any(|name| path.ends_with(name));
        assert!(reads_files || !production(&text).contains("std::fs"), "{} accesses the file system", path.display());
    }
    // As a name, it is an origin; as a dependency, it is a database.
    assert!(!text("migrate-model/Cargo.toml").contains("sqlx"), "migrate-model depends on sqlx");
}

#[test]
fn every_file_begins_with_a_module_comment() {
    for folder in ["migrate-model", "migrate-macros", "migrate-runtime", "migrate-cli", "cargo-migrate"] {
        for (path, text) in sources(&root().join(folder).join("src")) {
            assert!(text.starts_with("//! "), "{} has no module comment", path.display());
        }
    }
}

#[test]
fn only_the_output_module_prints() {
    for folder in ["migrate-cli", "cargo-migrate"] {
        for (path, text) in sources(&root().join(folder).join("src")) {
            let prints = ["println!", "eprintln!", "stdout()", "stderr()"].iter().any(|word| production(&text).contains(word));
            assert!(!prints || path.ends_with("output.rs"), "{} prints", path.display());
        }
    }
    for folder in ["migrate-model", "migrate-lint", "migrate-macros", "migrate-runtime"] {
        for (path, text) in sources(&root().join(folder).join("src")) {
            let code: String = production(&text).lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            assert!(!code.contains("println!"), "{} prints", path.display());
        }
    }
}

/// The production code in numbers; `cargo run -p migrate-tests --bin shape -- --list` shows the places.
#[test]
fn the_shape_of_the_code() {
    let measures = shape::measures(&Checkout::read(&root()).unwrap());
    let limits = [
        ("members of a list that import a sibling", 0),
        ("types that the runtime's API names and does not export", 0),
        ("  further ones, reached through other crates", 0),
        ("changes of the history that are built elsewhere", 0),
        ("decisions by the text of a message", 0),
        ("public items without documentation", 0),
        ("counted arrays in lists", 0),
        ("  functions of more than 60 lines", 0),
        ("`match` on a boolean", 0),
        ("`match ()`, a chain of guards", 0),
        ("words to replace in string literals", 0),
        // The changelog lists six names as they were.
        ("words to replace in documents", 6),
        ("words to replace in comments", 0),
        // These may only fall.
        ("type names defined more than once", 9),
        // Some are the state of the readers of SQL, such as whether a backslash escapes.
        ("boolean fields of types", 77),
        ("files that name a dialect, outside those and the SQL readers", 20),
        ("  uses of a dialect, outside those and the SQL readers", 71),
        ("variables and fields with a vague name", 0),
    ];
    for (name, limit) in limits {
        let measure = measures.iter().find(|measure| measure.name == name).unwrap_or_else(|| panic!("`{name}` is not measured"));
        assert!(measure.number <= limit, "{name}: {}, at most {limit}:{}", measure.number, shape::list(&measures));
    }
}

#[test]
fn members_of_a_list_do_not_know_each_other() {
    for list in [
        "migrate-model/src/layouts",
        "migrate-model/src/origins",
        "migrate-lint/src/rules",
        "migrate-runtime/src/backends",
        "migrate-runtime/src/steps",
        "migrate-cli/src/commands",
        "cargo-migrate/src/commands",
    ] {
        for (path, text) in sources(&root().join(list)) {
            let is_member = path.parent() == Some(&root().join(list));
            let uses_parent = production(&text).contains("super::") && !path.ends_with("tests.rs");
            assert!(!is_member || !uses_parent, "{} uses `super::`", path.display());
        }
    }
}

/// The dependencies between the crates are those of the table in `ARCHITECTURE.md`.
#[test]
fn dependencies_between_crates_are_those_of_the_architecture() {
    for (folder, allowed) in [
        ("migrate-model", &[][..]),
        ("migrate-lint", &["migrate-model"]),
        ("migrate-macros", &["migrate-lint", "migrate-model"]),
        ("migrate-runtime", &["migrate-macros", "migrate-model"]),
        ("migrate-cli", &["migrate-model", "migrate-runtime"]),
        ("cargo-migrate", &["migrate-cli", "migrate-lint", "migrate-model", "migrate-runtime"]),
    ] {
        let manifest = text(&format!("{folder}/Cargo.toml"));
        let other_forms = ["package = ", "[dependencies.", "[target."];
        assert!(!other_forms.iter().any(|form| manifest.contains(form)), "{folder}: write dependencies under `[dependencies]`");
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        let names = || dependencies.lines().filter_map(|line| line.split([' ', '.', '=']).next());
        let mut own: Vec<&str> = names().filter(|name| name.starts_with("migrate-") || *name == "cargo-migrate").collect();
        own.sort_unstable();
        assert_eq!(own, allowed, "{folder}");
        let knows_clap = names().any(|name| name.starts_with("clap"));
        assert!(!knows_clap || ["migrate-cli", "cargo-migrate"].contains(&folder), "{folder} depends on clap");
    }
    let workspace = text("Cargo.toml");
    for name in ["migrate-model", "migrate-lint", "migrate-macros", "migrate-runtime", "migrate-cli"] {
        let line = workspace.lines().find(|line| line.starts_with(&format!("{name} = "))).unwrap();
        assert!(line.contains("version = \"="), "{name} is not pinned: {line}");
    }
}

#[test]
fn every_file_is_in_the_architecture() {
    let document = text("ARCHITECTURE.md");
    for folder in ["migrate-model", "migrate-lint", "migrate-macros", "migrate-runtime", "migrate-cli", "cargo-migrate"] {
        let section = document.split("\n### ").find(|section| section.starts_with(folder)).unwrap();
        let source = root().join(folder).join("src");
        for (path, _) in sources(&source) {
            let path = path.strip_prefix(&source).unwrap().to_string_lossy().into_owned();
            let name = path.rsplit('/').next().unwrap();
            let is_named = [&*path, name].iter().any(|name| section.contains(&format!("`{name}`")));
            assert!(is_named || path.starts_with("rules/"), "ARCHITECTURE.md does not name `{path}` of {folder}");
        }
    }
}

#[test]
fn numbers_in_the_documents_are_true() {
    let rules = migrate_lint::rules::ALL.len();
    assert!(text("README.md").contains(&format!("[{rules} rules](docs/rules.md)")), "README.md: there are {rules} rules");
    let benchmarks = text("benches/Cargo.toml").matches("[[bench]]").count();
    let words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let expected = format!("{} benchmarks", words[benchmarks]);
    assert!(text("CONTRIBUTING.md").contains(&expected), "CONTRIBUTING.md: there are {expected}");
}

/// `public_api.rs` names everything that the runtime exports, so that it compiles against each name.
#[test]
fn every_exported_name_is_used_from_outside() {
    let library = text("migrate-runtime/src/lib.rs");
    let exports = library.split_once("pub use ").unwrap().1;
    let names: Vec<&str> = exports
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with(|first: char| first.is_uppercase()))
        .collect();
    assert!(names.len() > 40, "{names:?}");
    let user = text("tests/suite/public_api.rs");
    for name in names {
        assert!(user.contains(name), "tests/suite/public_api.rs does not name `{name}`");
    }
}

#[test]
fn every_code_is_in_its_list() {
    for folder in ["migrate-model", "migrate-lint", "migrate-runtime", "migrate-cli", "cargo-migrate"] {
        let files = sources(&root().join(folder).join("src"));
        let lists = files.iter().filter(|(path, _)| path.ends_with("codes.rs"));
        let list: String = lists.map(|(_, text)| text.as_str()).collect();
        for (path, text) in &files {
            for (_, rest) in production(text).match_indices("pub static ").map(|(at, _)| text.split_at(at)) {
                let Some((name, kind)) = rest["pub static ".len()..].split_once(": ") else { continue };
                if kind.starts_with("Code ") {
                    let listed = list.contains(&format!("::{name},"))
                        || list.contains(&format!("&{name},"))
                        || list.contains(&format!("&{name}]"));
                    assert!(listed, "the list does not contain {name} of {}", path.display());
                }
            }
        }
    }
}

#[test]
fn every_command_and_setting_is_in_the_documents() {
    let guide = fs::read_to_string(root().join("docs/guide.md")).unwrap();
    let format = fs::read_to_string(root().join("docs/format.md")).unwrap();
    for folder in ["migrate-cli/src/commands", "cargo-migrate/src/commands"] {
        for entry in fs::read_dir(root().join(folder)).unwrap().flatten() {
            let name = entry.path().file_stem().unwrap().to_string_lossy().into_owned();
            let documented = guide.contains(&format!("`{name}")) || guide.contains(&format!("migrate {name}"));
            assert!(documented, "docs/guide.md does not contain the command `{name}`");
        }
    }
    for setting in SETTINGS {
        let key = if setting.table == "rules" { format!("{}.{}", setting.table, setting.key) } else { setting.key.to_owned() };
        let documented = ["", "history."].iter().any(|table| format.contains(&format!("`{table}{key}`")));
        assert!(documented, "docs/format.md does not contain the setting `{key}`");
    }
}

#[test]
fn the_tests_that_the_security_page_names_exist() {
    let folders =
        ["migrate-model", "migrate-lint", "migrate-runtime", "migrate-cli", "cargo-migrate"].map(|name| format!("{name}/src"));
    let files: Vec<(PathBuf, String)> =
        folders.iter().map(String::as_str).chain(["tests/suite"]).flat_map(|folder| sources(&root().join(folder))).collect();
    let page = text("docs/security.md");
    let promises = page.split("| promise | verified by |").skip(1).map(|part| part.split("\n\n").next().unwrap_or_default());
    let rows = promises.flat_map(|table| table.lines().skip(2));
    let mut count = 0;
    for row in rows {
        let tests = row.rsplit('|').nth(1).unwrap();
        for name in tests.split('`').skip(1).step_by(2) {
            let (module, test) = name.split_once("::").unwrap_or_else(|| panic!("`{name}` names no module"));
            let is_of_module =
                |path: &PathBuf| path.iter().any(|part| part == module) || path.file_stem().is_some_and(|stem| stem == module);
            let exists = files.iter().any(|(path, text)| is_of_module(path) && text.contains(&format!("fn {test}()")));
            assert!(exists, "docs/security.md names the test `{name}`, which does not exist");
            count += 1;
        }
        assert!(tests.contains('`'), "no test verifies: {row}");
    }
    assert!(count > 20, "only {count} tests are named");
}

#[test]
fn every_code_is_in_the_guide() {
    let guide = text("docs/guide.md");
    for folder in ["migrate-model/src", "migrate-runtime/src", "migrate-cli/src", "cargo-migrate/src"] {
        for (path, text) in sources(&root().join(folder)) {
            for (at, _) in production(&text).match_indices("Code = Code::new(\n") {
                let name = text[at..].split('"').nth(1).unwrap();
                assert!(
                    name.is_empty() || guide.contains(&format!("`{name}`")),
                    "docs/guide.md does not contain `{name}` of {}",
                    path.display()
                );
            }
        }
    }
}

/// Each test in the table of `docs/reliability.md` exists.
#[test]
fn every_guarantee_has_its_test() {
    let page = text("docs/reliability.md");
    let table = page.split("## Soak").next().unwrap();
    let cells = table.lines().filter(|line| line.starts_with("| ")).skip(1).filter_map(|line| line.rsplit('|').nth(1));
    let names: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 20, "{names:?}");
    let mut tests: String = [
        "interruptions",
        "conformance",
        "race",
        "lease",
        "server_faults",
        "huge",
        "seeds",
        "command",
        "history_place",
        "foreign_histories",
        "session",
        "atomicity",
        "rollout",
        "uncertainty",
        "stored_sql",
        "pooled_sessions",
        "lent_sessions",
        "asked_session_state",
        "missing_tables",
    ]
    .map(|module| text(&format!("tests/suite/{module}.rs")))
    .concat();
    tests.push_str(&text("migrate-runtime/src/engine/tests.rs"));
    for name in names {
        let name = name.rsplit("::").next().unwrap();
        let known = ["migrate-runtime", "soak", "interruptions"].contains(&name) || name.starts_with("...");
        assert!(known || tests.contains(&format!("fn {name}(")), "there is no test `{name}`");
    }
}
