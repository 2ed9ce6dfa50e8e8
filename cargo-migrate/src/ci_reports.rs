//! Findings in the formats of code hosts: SARIF and annotations of GitHub Actions.

use migrate_lint::{rule_page, rules};
use migrate_model::code::Code;
use migrate_model::finding::{Finding, Level};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Findings as a SARIF 2.1.0 document (OASIS standard, 27 March 2020).
pub fn sarif<'a>(findings: impl Iterator<Item = &'a Finding>) -> Value {
    let mut rules = BTreeMap::new();
    let results: Vec<Value> = findings
        .map(|finding| {
            let level = match finding.level {
                Level::Error => "error",
                Level::Warning => "warning",
                Level::Note => "note",
            };
            rules.entry(finding.code.name).or_insert((finding.code, level));
            let locations: Vec<Value> = finding.place.iter().map(location).collect();
            json!({
                "ruleId": finding.code.name,
                "level": level,
                "message": { "text": sentence(finding) },
                "locations": locations,
            })
        })
        .collect();
    let rules: Vec<Value> = rules.into_values().map(|(code, level)| rule(code, level)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "cargo-migrate", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": results,
        }],
    })
}

/// A rule with its help: the page of a safety rule, or the explanation of another code.
fn rule(code: &Code, level: &str) -> Value {
    let explanation = code.explanation;
    let sentence = explanation.split_once(". ").map_or(explanation, |(first, _)| first).trim_end_matches('.');
    let markdown = rules::find(code.name).map(rule_page::page);
    let help = match markdown {
        Some(markdown) => json!({ "text": explanation, "markdown": markdown }),
        None => json!({ "text": explanation }),
    };
    json!({
        "id": code.name,
        "shortDescription": { "text": format!("{sentence}.") },
        "fullDescription": { "text": explanation },
        "help": help,
        "defaultConfiguration": { "level": level },
    })
}

/// The path of a file from the root of its repository, which code hosts expect; the path itself outside a repository.
fn from_repository_root(file: &str) -> String {
    let from_root = || {
        let file = std::path::absolute(file).ok()?;
        let root = file.ancestors().skip(1).find(|folder| folder.join(".git").exists())?;
        Some(file.strip_prefix(root).ok()?.to_str()?.to_owned())
    };
    from_root().unwrap_or_else(|| file.to_owned()).replace('\\', "/")
}

/// A path as a URI reference (RFC 3986): what is not unreserved is percent-encoded.
fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    path.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn location(place: &migrate_model::place::Place) -> Value {
    let region = place.span.as_ref().map(|span| {
        json!({
            "startLine": span.position.line,
            "startColumn": span.position.column,
            "endColumn": span.end_column,
        })
    });
    let mut physical = json!({ "artifactLocation": { "uri": uri(&from_repository_root(&place.file)) } });
    if let Some(region) = region {
        physical["region"] = region;
    }
    json!({ "physicalLocation": physical })
}

fn sentence(finding: &Finding) -> String {
    let notes = finding.notes.iter().cloned();
    let help = finding.help.iter().map(|help| format!("help: {help}"));
    [finding.message.clone()].into_iter().chain(notes).chain(help).collect::<Vec<_>>().join("\n")
}

/// A finding as a workflow command of GitHub Actions, which annotates its line.
pub fn github(finding: &Finding) -> String {
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    let property = |text: &str| escaped(text).replace(':', "%3A").replace(',', "%2C");
    let mut properties = vec![format!("title={}", property(finding.code.name))];
    if let Some(place) = &finding.place {
        properties.insert(0, format!("file={}", property(&from_repository_root(&place.file))));
        if let Some(span) = &place.span {
            properties.insert(1, format!("line={},col={}", span.position.line, span.position.column));
        }
    }
    format!("::{level} {}::{}", properties.join(","), escaped(&sentence(finding)))
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use migrate_model::place::Place;

    static CODE: Code = Code::new("drop-table", "The table is deleted.");

    #[test]
    fn findings_are_formatted_for_code_hosts() {
        let finding = Finding::error(&CODE, "100% of `t`, deleted")
            .at(Place::range("migrations/a,b.sql", "SELECT 1;\nDROP TABLE t;", 10..20))
            .help("keep it");
        // The path begins in the root of the repository, which may be above this package.
        let line = github(&finding);
        assert!(line.starts_with("::error file="), "{line}");
        assert!(
            line.ends_with("migrations/a%2Cb.sql,line=2,col=1,title=drop-table::100%25 of `t`, deleted%0Ahelp: keep it"),
            "{line}"
        );
        assert_eq!(uri("a b/ü,1%.sql"), "a%20b/%C3%BC%2C1%25.sql");
        let sarif = sarif([&finding].into_iter());
        let rule = &sarif["runs"][0]["tool"]["driver"]["rules"][0];
        assert_eq!((&rule["id"], &rule["defaultConfiguration"]["level"]), (&json!("drop-table"), &json!("error")));
        assert!(rule["help"]["markdown"].as_str().is_some_and(|markdown| markdown.contains("DROP TABLE")));
        let result = &sarif["runs"][0]["results"][0];
        assert_eq!((&result["ruleId"], &result["level"]), (&json!("drop-table"), &json!("error")));
        assert_eq!(
            result["locations"][0]["physicalLocation"]["region"],
            json!({ "startLine": 2, "startColumn": 1, "endColumn": 11 })
        );
    }
}
