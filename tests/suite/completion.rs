//! Completion in real shells: what a user gets who presses Tab after these words.

use migrate_tests::{Binary, TestFolder};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The lines and some of the words that complete them; the last word of a line is not finished.
const LINES: [(&str, &[&str], &[&str]); 11] = [
    ("cargo-migrate sta", &["status"], &["up"]),
    ("cargo migrate sta", &["status"], &["up"]),
    ("cargo migrate up --t", &["--to", "--timeout"], &["status"]),
    ("cargo migrate up --to 0", &["001", "002"], &["003"]),
    ("cargo migrate lock 00", &["001", "002"], &[]),
    ("cargo migrate explain index-not", &["index-not-concurrent"], &["status"]),
    ("cargo-migrate --color a", &["always", "auto"], &["never"]),
    ("cargo migrate completions z", &["zsh"], &["fish"]),
    ("cargo mig", &["migrate"], &[]),
    ("cargo migrate --dialect m", &["mysql", "mariadb"], &["postgres"]),
    ("cargo migrate up -p sh", &["shop", "shop-audit"], &["001"]),
];

fn folder() -> TestFolder {
    let folder = TestFolder::new(&[("001_a.up.sql", "SELECT 1;"), ("002_b.up.sql", "SELECT 2;")]);
    folder.write("migrate.toml", "database = \"sqlite\"\n");
    // A package with two sets, for `-p`.
    folder.write("Cargo.toml", "[workspace]\nmembers = [\"app\"]\n");
    folder.write("app/Cargo.toml", "[package]\nname = \"app\"\n");
    folder.write("app/src/lib.rs", "");
    folder.write("app/migrate.toml", "[sets]\n\"db/main\" = \"shop\"\n\"db/audit\" = \"shop-audit\"\n");
    folder
}

/// A folder with the binary under its name, for `PATH`.
fn path(folder: &Path) -> (PathBuf, String) {
    let program = Binary::inside(folder).command(&[]).get_program().to_owned();
    let bin = Path::new(&program).parent().unwrap();
    (bin.join("cargo-migrate"), format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default()))
}

/// What a shell answers, as words.
fn complete(shell: &str, line: &str, folder: &Path) -> Vec<String> {
    let (_, path) = path(folder);
    let script = Binary::inside(folder).ok(&["completions", shell]).stdout;
    let script_file = folder.join(format!("completion.{shell}"));
    std::fs::write(&script_file, script).unwrap();
    let file = script_file.display();
    let text = match shell {
        "bash" => format!(
            "source {file}; COMP_LINE='{line}'; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_POINT=${{#COMP_LINE}}\n\
             f=$(complete -p ${{COMP_WORDS[0]}} | sed 's/.*-F \\([^ ]*\\).*/\\1/'); $f; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        ),
        "fish" => format!("source {file}; complete -C '{line}'"),
        // The completion of zsh works only in its line editor, so that its functions are replaced.
        _ => format!(
            "compdef() {{ : }}; compadd() {{ print -l -- \"$@\" }}; _files() {{ : }}; \
             _describe() {{ local name=${{@[-1]}}; print -l -- \"${{(@P)name}}\" }}; source {file}\n\
             words=({line}); CURRENT=${{#words}}; if [[ $words[1] == cargo ]] {{ _cargo_with_migrate }} else {{ _cargo-migrate }}"
        ),
    };
    let output =
        Command::new(shell).args(["-c", &text]).current_dir(folder).env("PATH", path).env_remove("DATABASE_URL").output();
    let output = output.unwrap_or_else(|error| panic!("{shell}: {error}"));
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    answer.split_whitespace().map(|word| word.split(':').next().unwrap_or_default().to_owned()).collect()
}

fn completes_in(shell: &str) {
    let folder = folder();
    for (line, expected, absent) in LINES {
        let words = complete(shell, line, folder.path());
        for word in expected {
            assert!(words.iter().any(|candidate| candidate == word), "{shell}: `{line}`: `{word}` is missing in {words:?}");
        }
        for word in absent {
            assert!(!words.iter().any(|candidate| candidate == word), "{shell}: `{line}`: {words:?}");
        }
    }
}

#[test]
fn bash() {
    completes_in("bash");
}

/// Bash splits a word at `=`.
#[test]
fn bash_with_an_equals_sign() {
    let folder = folder();
    assert_eq!(complete("bash", "cargo migrate up --format = js", folder.path()), ["json"]);
    assert_eq!(complete("bash", "cargo-migrate up --to = 00", folder.path()), ["002", "001"]);
}

#[test]
fn zsh() {
    completes_in("zsh");
}

#[test]
fn fish() {
    completes_in("fish");
}
