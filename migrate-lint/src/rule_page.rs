//! The page of a rule and the index of all rules, in Markdown, for `cargo migrate explain` and the documentation.

use crate::other_tools;
use crate::rule::{Example, Rule, Verification};
use crate::server::{Product, Server};
use std::fmt::Write as _;

/// The page of a rule. Lines are not wrapped.
pub fn page(rule: &Rule) -> String {
    let mut text = format!("# {}\n\n", rule.code.name);
    let note =
        if rule.opt_in { " (disabled by default; to enable the rule, set its level in `[rules]` of `migrate.toml`)" } else { "" };
    let _ = writeln!(text, "Level: {}{note}. Databases: {}.\n", rule.level.name(), databases(rule));
    let _ = writeln!(text, "{}\n", rule.code.explanation);
    if !rule.fix.is_empty() {
        let _ = writeln!(text, "**Fix**: {}.\n", rule.fix);
    }
    if let Some(example) = rule.flagged.first() {
        let _ = writeln!(text, "## Flagged\n\n{}{}", example_product(rule, example), example_text(example));
    }
    if let Some(example) = rule.not_flagged.first() {
        let _ = writeln!(text, "## Not flagged\n\n{}{}", example_product(rule, example), example_text(example));
    }
    let _ = writeln!(text, "## Verification\n\n{}", verification_text(rule));
    let checks: Vec<String> = other_tools::of(rule.code.name).map(|check| format!("`{}` ({})", check.name, check.tool)).collect();
    if !checks.is_empty() {
        let _ = writeln!(text, "\n## Equivalent checks in other tools\n\n{}", checks.join(", "));
    }
    text
}

fn databases(rule: &Rule) -> String {
    let names: Vec<&str> = rule.on.iter().map(|product| product.name()).collect();
    names.join(", ")
}

/// The database of an example, where the rule applies to more than one.
fn example_product(rule: &Rule, example: &Example) -> String {
    let product = Server::of(example.dialect).product.name();
    if databases(rule) == product { String::new() } else { format!("On {product}:\n\n") }
}

fn example_text(example: &Example) -> String {
    let count = example.files.len();
    let file = |(index, sql): (usize, &&str)| {
        let heading = if count == 1 {
            ""
        } else if index + 1 == count {
            "-- migration being checked\n"
        } else {
            "-- deployed earlier\n"
        };
        let sql = sql.replace("\n--- down\n", "\n-- down migration:\n");
        let one_statement_per_line = sql.replace("; ", ";\n");
        format!("{heading}{one_statement_per_line}\n")
    };
    let files: Vec<String> = example.files.iter().enumerate().map(file).collect();
    format!("```sql\n{}```\n", files.join("\n"))
}

fn verification_text(rule: &Rule) -> String {
    let database = match rule.on {
        [Product::Sqlite] => "a real SQLite database",
        products if products.contains(&Product::Sqlite) => "a real database",
        _ => "a real server",
    };
    match rule.verification {
        Verification::Measured if rule.on.iter().all(|product| matches!(product, Product::MySql | Product::MariaDb)) => {
            format!("A test runs the examples on {database} and verifies the `ALGORITHM` and `LOCK` that the linter predicts.")
        }
        Verification::Measured => format!(
            "A test runs the examples on {database} and verifies the locks, table scans and rewrites that the linter \
             predicts."
        ),
        Verification::Refused => {
            format!("A test runs the examples on {database} and verifies that the flagged ones fail and the others succeed.")
        }
        Verification::Seen(test) => format!(
            "The test `{test}` runs statements like the flagged ones on {database} and verifies the effect that this \
             page describes."
        ),
        Verification::Files => {
            "The rule uses only the contents of the migration files, so no database is needed to test it: a unit test \
             verifies which of the examples the rule flags."
                .to_owned()
        }
        Verification::Manual(source) => format!("Not verified by a test. Source: {source}."),
    }
}

/// The index of all rules, with links to their pages, and the equivalent checks of other tools.
pub fn index() -> String {
    let mut text =
        "# Safety rules\n\nThis page is generated from the source code of the rules. `cargo migrate explain RULE` prints the page \
         of a rule. In the tables, *the statement*, *the migration* and *the file* are those \
         that the rule flags. An *existing table* is a table that the deployed version of the application can already use: \
         a deployed migration creates it, or no migration creates it. A *contract migration* is a migration \
         with `-- migrate: phase contract` in its header; it removes what no deployed version of the application uses any \
         more. To *rebuild* a table is to create a new table, copy the rows, and give the new table the name of the old \
         one. ACCESS EXCLUSIVE, SHARE ROW EXCLUSIVE and SHARE are lock modes of PostgreSQL.\n"
            .to_owned();
    for (title, opt_in) in [("Enabled by default", false), ("Opt-in (disabled by default)", true)] {
        let _ = write!(text, "\n## {title}\n\n| rule | level | databases | hazard |\n|---|---|---|---|\n");
        for rule in crate::rules::ALL.iter().filter(|rule| rule.opt_in == opt_in) {
            let name = rule.code.name;
            let hazard = first_sentence(rule.code.explanation).replace('|', "\\|");
            let level = rule.level.name();
            let _ = writeln!(text, "| [`{name}`](rules/{name}.md) | {level} | {} | {hazard} |", databases(rule));
        }
    }
    text.push_str(
        "\n## Coming from another tool\n\nEach of the following tables lists the checks of another tool and, for each check, \
         the rules that report the same hazard. A dash means that no rule reports it. A name without a link is the code of \
         an error or a warning that is not a safety rule. Such a code has no page in this manual, but \
         `cargo migrate explain CODE` prints its explanation. `cargo migrate explain` also accepts the name of a check of \
         another tool, and prints the names of the equivalent rules.\n",
    );
    for checks in other_tools::ALL.chunk_by(|check, next| check.tool == next.tool) {
        let _ = write!(text, "\n| {} | cargo-migrate |\n|---|---|\n", checks[0].tool);
        for check in checks {
            let codes: Vec<String> = check.codes.iter().map(|code| link(code)).collect();
            let codes = if codes.is_empty() { "-".to_owned() } else { codes.join(", ") };
            let _ = writeln!(text, "| `{}` | {codes} |", check.name);
        }
    }
    text
}

/// The name of a code; with a link if it is a rule, because other codes have no page.
fn link(code: &str) -> String {
    match crate::rules::find(code) {
        Some(_) => format!("[`{code}`](rules/{code}.md)"),
        None => format!("`{code}`"),
    }
}

/// The text before the first colon or full stop that is neither inside backticks nor inside parentheses.
fn first_sentence(text: &str) -> &str {
    let is_end = |end: &usize| {
        text[*end + 1..].starts_with(' ')
            && text[..*end].matches('`').count().is_multiple_of(2)
            && text[..*end].matches('(').count() == text[..*end].matches(')').count()
    };
    let mut ends = text.match_indices([':', '.']).map(|(end, _)| end);
    ends.find(is_end).map_or(text, |end| &text[..end])
}
