//! Every rule flags exactly the examples that it lists as flagged, and its texts follow the conventions.

use super::*;
use crate::lint::{LintOptions, lint};
use crate::rule::Example;
use migrate_model::finding::{Finding, Level};
use migrate_model::migration::Migration;
use migrate_model::script::Script;

/// The findings of a rule in the last file of an example.
fn findings_in_last_file(rule: &Rule, example: &Example) -> Vec<Finding> {
    let migrations: Vec<Migration> = (1..).zip(example.files).map(|(number, text)| migration(number, text, example)).collect();
    let mut options = LintOptions::new(example.dialect);
    let level_of = |other: &Rule| (other.code.name == rule.code.name).then_some(rule.level);
    options.levels = ALL.iter().map(|other| (other.code.name.to_owned(), level_of(other))).collect();
    let last_file = format!("{:03}_x.", migrations.len());
    let findings = lint(&migrations, &options).into_iter();
    findings.filter(|finding| finding.place.as_ref().unwrap().file.starts_with(&last_file)).collect()
}

fn migration(number: usize, text: &str, example: &Example) -> Migration {
    let (up, down) = match text.split_once("\n--- down\n") {
        Some((up, down)) => (up, Some(down)),
        None => (text, None),
    };
    let script = |text: &str, direction: &str| {
        let (script, findings) = Script::read(text.to_owned(), &format!("{number:03}_x.{direction}.sql"), example.dialect);
        assert!(findings.is_empty(), "{text}: {findings:?}");
        script
    };
    Migration::new(format!("{number:03}").parse().unwrap(), "x", script(up, "up"), down.map(|down| script(down, "down")))
}

#[test]
fn every_rule_flags_its_flagged_examples_only() {
    let mut failures = Vec::new();
    let mut cases = 0;
    for rule in ALL {
        cases += rule.flagged.len() + rule.not_flagged.len();
        for example in rule.flagged {
            if findings_in_last_file(rule, example).is_empty() {
                failures.push(format!("{} does not flag {:?}", rule.code.name, example.files));
            }
        }
        for example in rule.not_flagged {
            if let Some(finding) = findings_in_last_file(rule, example).first() {
                failures.push(format!("{} flags {:?}: {}", rule.code.name, example.files, finding.message));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(cases >= 300, "{cases} cases");
}

#[test]
fn every_rule_follows_the_conventions() {
    for (index, rule) in ALL.iter().enumerate() {
        let name = rule.code.name;
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{name}");
        assert!(ALL[index + 1..].iter().all(|other| other.code.name > name), "{name} is not in alphabetical order");
        assert!(rule.code.explanation.len() > 40, "{name} is not explained");
        assert!(!rule.not_flagged.is_empty(), "{name} has no example that is not flagged");
        assert!(rule.fix.is_empty() || rule.fix.starts_with(|c: char| c.is_lowercase() || c == '`'), "{name}: {}", rule.fix);
        for example in rule.flagged.iter().chain(rule.not_flagged) {
            assert!(
                rule.on.iter().any(|product| product.dialect() == example.dialect),
                "{name} has an example of another database"
            );
        }
        for finding in rule.flagged.iter().flat_map(|example| findings_in_last_file(rule, example)) {
            assert!(!finding.message.ends_with('.') && finding.level >= Level::Note, "{name}: {}", finding.message);
        }
    }
}
