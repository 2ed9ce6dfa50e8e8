//! Guarantees about the source code and the documents. The name of each test states the guarantee.

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
        for word in ["async ", "sqlx", "std::env", "SystemTime", "Instant"] {
            let code: String = production(&text).lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            assert!(!code.contains(word), "{} contains `{word}`", path.display());
        }
        let reads_files = ["folder.rs", "project.rs"].iter().any(|name| path.ends_with(name));
        assert!(reads_files || !production(&text).contains("std::fs"), "{} accesses the file system", path.display());
    }
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

#[test]
fn members_of_a_list_do_not_know_each_other() {
    for list in ["migrate-model/src/layouts", "migrate-lint/src/rules", "migrate-runtime/src/backends"] {
        let members = sources(&root().join(list));
        let names: Vec<String> =
            members.iter().map(|(path, _)| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        let list = list.rsplit('/').next().unwrap();
        for (path, text) in &members {
            for name in &names {
                assert!(!text.contains(&format!("{list}::{name}")), "{} uses `{name}`", path.display());
            }
        }
    }
}

#[test]
fn dependencies_between_crates_point_down() {
    for (folder, forbidden) in [
        ("migrate-model", &["migrate_lint", "migrate_macros", "migrate_runtime", "migrate_cli", "cargo_migrate"][..]),
        ("migrate-lint", &["migrate_macros", "migrate_runtime", "migrate_cli", "cargo_migrate"]),
        ("migrate-macros", &["migrate_cli", "cargo_migrate"]),
        ("migrate-runtime", &["migrate_cli", "cargo_migrate"]),
        ("migrate-cli", &["cargo_migrate"]),
    ] {
        for (path, text) in sources(&root().join(folder).join("src")) {
            let code: String = text.lines().filter(|line| line.trim_start().starts_with("use ")).collect();
            for word in forbidden {
                assert!(!code.contains(word), "{} imports {word}", path.display());
            }
        }
    }
}

#[test]
fn every_code_is_in_its_list() {
    for (folder, list) in [
        ("migrate-model", "codes.rs"),
        ("migrate-lint", "codes.rs"),
        ("migrate-runtime", "codes.rs"),
        ("cargo-migrate", "codes.rs"),
    ] {
        let files = sources(&root().join(folder).join("src"));
        let (_, list) = files.iter().find(|(path, _)| path.ends_with(list)).unwrap();
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
    for key in [
        "service",
        "database",
        "dir",
        "layouts",
        "ignore",
        "same-version",
        "down",
        "out-of-order",
        "session",
        "lock",
        "lease",
        "lock-timeout",
        "timeout",
        "lint",
        "server",
        "small-tables",
        "owns",
        "rules.NAME",
    ] {
        assert!(format.contains(&format!("`{key}`")), "docs/format.md does not contain the setting `{key}`");
    }
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
    let mut tests: String = ["interruptions", "conformance", "race", "lease", "server_faults", "huge", "seeds", "command"]
        .map(|module| text(&format!("tests/suite/{module}.rs")))
        .concat();
    tests.push_str(&text("migrate-runtime/src/engine/tests.rs"));
    for name in names {
        let name = name.rsplit("::").next().unwrap();
        let known = ["migrate-runtime", "soak", "interruptions"].contains(&name) || name.starts_with("...");
        assert!(known || tests.contains(&format!("fn {name}(")), "there is no test `{name}`");
    }
}
