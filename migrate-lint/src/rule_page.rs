//! The page of a rule, in Markdown: made from the rule itself, for `cargo migrate explain` and for the documents.

use crate::other_tools;
use crate::rule::{Example, Rule, Verification};
use migrate_model::dialect::Dialect;
use std::fmt::Write as _;

/// The page of a rule. Lines of prose are as long as they are.
pub fn page(rule: &Rule) -> String {
    let mut text = format!("# {}\n\n", rule.code.name);
    let databases: Vec<&str> = rule.on.iter().map(|dialect| name(*dialect)).collect();
    let _ = writeln!(text, "Level: {}{}. Databases: {}.\n", rule.level.name(), opt_in_note(rule), databases.join(", "));
    let _ = writeln!(text, "{}\n", rule.code.explanation);
    if !rule.fix.is_empty() {
        let _ = writeln!(text, "**Instead**: {}.\n", rule.fix);
    }
    if let Some(example) = rule.flagged.first() {
        let _ = writeln!(text, "## Found\n\n{}", example_text(example));
    }
    if let Some(example) = rule.not_flagged.first() {
        let _ = writeln!(text, "## Not found\n\n{}", example_text(example));
    }
    let _ = writeln!(text, "## Proof\n\n{}", verification_text(rule.verification));
    let elsewhere: Vec<String> =
        other_tools::of(rule.code.name).map(|check| format!("`{}` ({})", check.name, check.tool)).collect();
    if !elsewhere.is_empty() {
        let _ = writeln!(text, "\n## Elsewhere\n\n{}", elsewhere.join(", "));
    }
    text
}

fn opt_in_note(rule: &Rule) -> &'static str {
    if rule.opt_in { " (looked for only when `[rules]` in `migrate.toml` gives it a level)" } else { "" }
}

fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "PostgreSQL",
        Dialect::MySql => "MySQL and MariaDB",
        Dialect::Sqlite => "SQLite",
    }
}

fn example_text(example: &Example) -> String {
    let count = example.files.len();
    let file = |(at, text): (usize, &&str)| {
        let head = match (count, at + 1 == count) {
            (1, _) => String::new(),
            (_, true) => "-- now\n".to_owned(),
            (_, false) => "-- deployed before\n".to_owned(),
        };
        let text = text.replace("\n--- down\n", "\n-- and the way down:\n");
        // One statement a line.
        let lines = text.replace("; ", ";\n");
        format!("{head}{lines}\n")
    };
    let files: Vec<String> = example.files.iter().enumerate().map(file).collect();
    format!("```sql\n{}```\n", files.join("\n"))
}

fn verification_text(proof: Verification) -> String {
    match proof {
        Verification::Measured => "A test runs the statements on a real server and sees the locks, the full reads and the rewrites that are foretold here.".to_owned(),
        Verification::Refused => "A test runs the statements on a real server, which refuses them.".to_owned(),
        Verification::Seen(test) => format!("The test `{test}` runs the statements on a real server and sees what comes of it."),
        Verification::Files => "It follows from the files alone; there is nothing to ask a server.".to_owned(),
        Verification::Manual(source) => format!("Not proved here by a test. Source: {source}."),
    }
}

/// The list of all rules, in Markdown, with links to their pages.
pub fn index() -> String {
    let mut text = "# Safety rules\n\nMade from the code; `cargo migrate explain RULE` prints the same pages.\n".to_owned();
    for (title, optional) in [("Looked for by default", false), ("Looked for when asked", true)] {
        let _ = write!(text, "\n## {title}\n\n| rule | level | databases | what is found |\n|---|---|---|---|\n");
        for rule in crate::rules::ALL.iter().filter(|rule| rule.opt_in == optional) {
            let databases: Vec<&str> = rule.on.iter().map(|dialect| name(*dialect)).collect();
            let first = first_sentence(rule.code.explanation).replace('|', "\\|");
            let _ = writeln!(
                text,
                "| [`{0}`](rules/{0}.md) | {1} | {2} | {first} |",
                rule.code.name,
                rule.level.name(),
                databases.join(", ")
            );
        }
    }
    text.push_str(
        "\n## Coming from another tool\n\nWhat stands here for its checks; `cargo migrate explain` knows these names, too.\n",
    );
    for checks in other_tools::ALL.chunk_by(|one, other| one.tool == other.tool) {
        let _ = write!(text, "\n| {} | here |\n|---|---|\n", checks[0].tool);
        for check in checks {
            let here: Vec<String> = check.codes.iter().map(|code| link(code)).collect();
            let _ = writeln!(text, "| `{}` | {} |", check.name, here.join(", "));
        }
    }
    text
}

/// Codes that are no rules have no page of their own.
fn link(code: &str) -> String {
    match crate::rules::find(code) {
        Some(_) => format!("[`{code}`](rules/{code}.md)"),
        None => format!("`{code}`"),
    }
}

fn first_sentence(text: &str) -> &str {
    let mut ends = text.match_indices([':', '.']).map(|(at, _)| at);
    let good = |at: &usize| {
        text[*at + 1..].starts_with(' ')
            && text[..*at].matches('`').count().is_multiple_of(2)
            && text[..*at].matches('(').count() == text[..*at].matches(')').count()
    };
    ends.find(good).map_or(text, |at| &text[..at])
}
