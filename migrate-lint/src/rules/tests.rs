//! Every rule fires and is silent where it says so.

use super::*;
use crate::lint::{LintOptions, lint};
use crate::rule::Example;
use migrate_model::finding::{Finding, Level};
use migrate_model::migration::Migration;
use migrate_model::script::Script;

/// The findings in the last file of an example, which has only this rule.
fn found(rule: &Rule, example: &Example) -> Vec<Finding> {
    let migrations: Vec<Migration> = example
        .files
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let (up, down) = match text.split_once("\n--- down\n") {
                Some((up, down)) => (up, Some(down)),
                None => (*text, None),
            };
            let read = |text: &str, side: &str| {
                let (script, findings) = Script::read(text.to_owned(), &format!("{:03}_x.{side}.sql", at + 1), example.dialect);
                assert!(findings.is_empty(), "{text}: {findings:?}");
                script
            };
            Migration {
                version: format!("{:03}", at + 1).parse().unwrap(),
                name: "x".into(),
                up: read(up, "up"),
                down: down.map(|down| read(down, "down")),
            }
        })
        .collect();
    let mut options = LintOptions::new(example.dialect);
    options.levels =
        ALL.iter().map(|other| (other.code.name.to_owned(), (other.code.name == rule.code.name).then_some(rule.level))).collect();
    let last = format!("{:03}_x.", migrations.len());
    let findings = lint(&migrations, &options).into_iter();
    findings.filter(|finding| finding.place.as_ref().unwrap().file.starts_with(&last)).collect()
}

#[test]
fn each_fires_and_is_silent() {
    let mut wrong = Vec::new();
    let mut cases = 0;
    for rule in ALL {
        cases += rule.flagged.len() + rule.not_flagged.len();
        for example in rule.flagged {
            if found(rule, example).is_empty() {
                wrong.push(format!("{} does not fire: {:?}", rule.code.name, example.files));
            }
        }
        for example in rule.not_flagged {
            let found = found(rule, example);
            if !found.is_empty() {
                wrong.push(format!("{} fires: {:?}: {}", rule.code.name, example.files, found[0].message));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= 300, "{cases} cases");
}

#[test]
fn each_is_well_kept() {
    for (at, rule) in ALL.iter().enumerate() {
        let name = rule.code.name;
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{name}");
        assert!(ALL[at + 1..].iter().all(|other| other.code.name > name), "{name} is not in its place");
        assert!(rule.code.explanation.len() > 40, "{name} is not explained");
        assert!(!rule.not_flagged.is_empty(), "{name} shows nothing that it is silent about");
        assert!(rule.fix.is_empty() || rule.fix.starts_with(|c: char| c.is_lowercase() || c == '`'), "{name}: {}", rule.fix);
        for example in rule.flagged.iter().chain(rule.not_flagged) {
            assert!(rule.on.contains(&example.dialect), "{name} has an example of another database");
        }
        for finding in rule.flagged.iter().flat_map(|example| found(rule, example)) {
            assert!(!finding.message.ends_with('.') && finding.level >= Level::Note, "{name}: {}", finding.message);
        }
    }
}
