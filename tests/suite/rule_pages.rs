//! The pages of the safety rules in `docs/` match the code that generates them.
//!
//! `MIGRATE_UPDATE_PAGES=1` writes the pages again.

use migrate_lint::{rule_page, rules};
use migrate_model::files::settings;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn compare(path: &Path, expected: &str) {
    if std::env::var_os("MIGRATE_UPDATE_PAGES").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, expected).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(page, expected, "{} is out of date: run this test with MIGRATE_UPDATE_PAGES=1", path.display());
}

#[test]
fn pages_match_the_code() {
    let folder = documents().join("rules");
    for rule in rules::ALL {
        compare(&folder.join(format!("{}.md", rule.code.name)), &rule_page::page(rule));
    }
    compare(&documents().join("rules.md"), &rule_page::index());
    let names: BTreeSet<String> = rules::ALL.iter().map(|rule| format!("{}.md", rule.code.name)).collect();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.collect::<BTreeSet<String>>(), names, "each page belongs to a rule");
}

#[test]
fn the_picture_of_the_readme_shows_what_the_command_prints() {
    compare(&documents().join("terminal.svg"), &migrate_tests::terminal::picture());
}

/// The table of the settings in the guide is made from the list in the code.
#[test]
fn the_guide_documents_every_setting() {
    let path = documents().join("guide.md");
    let guide = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- settings: generated -->\n", "<!-- /settings -->");
    let (before, rest) = guide.split_once(begin).expect("the marker of the table");
    let (_, after) = rest.split_once(end).expect("the end of the table");
    compare(&path, &format!("{before}{begin}\n{}\n{end}{after}", settings::documentation()));
}
