//! `explain`: prints what a code means and what to do.

use crate::codes;
use crate::command::Context;
use clap::Args;
use migrate_cli::CommandError;
use migrate_cli::Exit;
use migrate_lint::{other_tools, rule_page};
use migrate_model::code::Code;
use migrate_model::files::settings::{self, BAD_SETTING};
use migrate_model::suggestion::nearest;

/// Explain a code such as `out-of-order`
#[derive(Debug, Args)]
pub struct Arguments {
    /// Code that a message shows in brackets, or the name of a check in another linter (squawk, eugene, strong_migrations or Atlas)
    /// [default: list all codes]
    code: Option<String>,
}

/// The codes of all crates, sorted by name.
pub fn codes() -> Vec<&'static Code> {
    let rules = migrate_lint::rules::ALL.iter().map(|rule| &rule.code);
    let lists = [
        migrate_model::codes::ALL,
        migrate_model::files::codes::ALL,
        migrate_runtime::codes::ALL,
        codes::ALL,
        migrate_lint::codes::ALL,
    ];
    let mut codes: Vec<&Code> = lists.into_iter().flatten().copied().chain(rules).collect();
    codes.sort_by_key(|code| code.name);
    codes
}

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let codes = codes();
    let Some(name) = arguments.code.as_deref().map(str::to_lowercase) else {
        for code in codes {
            let sentence = first_sentence(code.explanation);
            let line = wrapped(sentence, 76).lines().next().unwrap_or_default().to_owned();
            let more = if line.len() < sentence.trim_end_matches('.').len() { " ..." } else { "" };
            context.output.data(format!("{:<26} {}{more}", code.name, line.trim_end_matches('.')));
        }
        return Ok(Exit::Done);
    };
    if let Some(rule) = migrate_lint::rules::find(&name) {
        context.output.data(wrapped(rule_page::page(rule).trim_end(), 80));
        return Ok(Exit::Done);
    }
    if let Some(code) = codes.iter().find(|code| code.name == name) {
        context.output.data(format!("{}\n\n{}", code.name, wrapped(code.explanation, 80)));
        if *code == &BAD_SETTING {
            context.output.data(format!("\n{}", wrapped(&settings::overview(), 80)));
        }
        return Ok(Exit::Done);
    }
    if let Some(check) = other_tools::find(&name) {
        let codes: Vec<String> = check.codes.iter().map(|code| format!("`{code}`")).collect();
        context.output.data(if codes.is_empty() {
            format!("`{}` of {} has no equivalent rule", check.name, check.tool)
        } else {
            format!("`{}` of {} corresponds to {}", check.name, check.tool, codes.join(", "))
        });
        return Ok(Exit::Done);
    }
    let all = "`cargo migrate explain` lists all codes";
    let help = match nearest(&name, codes.iter().map(|code| code.name)) {
        Some(near) => format!("the most similar code is `{near}`; {all}"),
        None => all.to_owned(),
    };
    Err(CommandError::usage(format!("unknown code `{name}`")).help(help))
}

fn wrapped(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// The text before the first full stop that is followed by a space, is not part of `...`, and is not inside backticks.
fn first_sentence(text: &str) -> &str {
    let ends = text.match_indices(". ").map(|(at, _)| at);
    let mut ends = ends.filter(|at| !text[..*at].ends_with('.') && text[..*at].matches('`').count().is_multiple_of(2));
    ends.next().map_or(text, |end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_over_all_crates() {
        let codes = codes();
        for pair in codes.windows(2) {
            assert_ne!(pair[0].name, pair[1].name);
        }
    }

    #[test]
    fn equivalents_of_other_tools_exist() {
        let codes = codes();
        for check in other_tools::ALL {
            for name in check.codes {
                assert!(codes.iter().any(|code| code.name == *name), "`{name}` for `{}` of {}", check.name, check.tool);
            }
        }
    }

    /// The names in squawk-linter 2.68.0, `impl TryFrom<&str> for Rule`.
    #[test]
    fn every_rule_of_squawk_is_known() {
        let squawk = other_tools::ALL.iter().filter(|check| check.tool == "squawk");
        assert_eq!(squawk.count(), 79);
        for name in
            ["ban-drop-view", "ban-add-column", "renaming-object", "require-lock-timeout", "unused-ignore", "prefer-timestamp-tz"]
        {
            assert!(other_tools::find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn lines_are_wrapped_at_words() {
        assert_eq!(wrapped("one two three\n\nfour", 7), "one two\nthree\n\nfour");
    }
}
