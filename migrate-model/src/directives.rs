//! What a file says about itself in comments: `-- migrate: key value`, and the headers that people write.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::duration;
use crate::finding::Finding;
use crate::place::Place;
use crate::suggestion::nearest;
use crate::token::{Kind, Token, Tokens};
use crate::version::Version;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

/// Where a migration stands in an expand-contract change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Adds; the running release does not notice.
    Expand,
    /// Moves data.
    Migrate,
    /// Removes what nothing uses any more.
    Contract,
}

impl Phase {
    /// `expand`, `migrate` or `contract`.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Expand => "expand",
            Phase::Migrate => "migrate",
            Phase::Contract => "contract",
        }
    }
}

impl FromStr for Phase {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Phase::Expand, Phase::Migrate, Phase::Contract]
            .into_iter()
            .find(|phase| text.eq_ignore_ascii_case(phase.name()))
            .ok_or(())
    }
}

/// A migration that must be applied first: `012`, or `billing:003` in another service's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The other service, if it is one.
    pub service: Option<String>,
    /// The version that must be applied.
    pub version: Version,
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.service {
            Some(service) => write!(f, "{service}:{}", self.version),
            None => write!(f, "{}", self.version),
        }
    }
}

/// The directives of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directives {
    /// Run statement by statement, outside a transaction.
    pub no_transaction: bool,
    /// Where it stands in an expand-contract change.
    pub phase: Option<Phase>,
    /// What must be applied first.
    pub requires: Vec<Requirement>,
    /// Queries that must each return one true value before the first statement runs.
    pub gates: Vec<String>,
    /// How long the migration may take.
    pub timeout: Option<Duration>,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Option<Duration>,
    /// There is no way down, on purpose: the reason.
    pub irreversible: Option<String>,
    /// The line behind `-- Description:`.
    pub description: Option<String>,
    /// The line behind `-- Author:`.
    pub author: Option<String>,
}

const KEYS: [&str; 10] =
    ["no-transaction", "phase", "requires", "gate", "timeout", "lock-timeout", "allow", "irreversible", "code", "batch"];

/// A directive that is not known, or whose value cannot be read.
pub static BAD_DIRECTIVE: Code = Code::new(
    "bad-directive",
    "A comment `-- migrate: key value` gives an order to this tool. A key that is misspelt or a value that cannot be read would \
     otherwise be an order silently ignored, so it is an error.\n\nKnown keys: `no-transaction`, `phase expand|migrate|contract`, \
     `requires 012, billing:003`, `gate SELECT ...`, `timeout 30m`, `lock-timeout 3s`, `allow RULE: reason`, \
     `irreversible: reason`. All but `allow` stand above the first statement.",
);

/// A directive below the first statement.
pub static MISPLACED_DIRECTIVE: Code = Code::new(
    "misplaced-directive",
    "A directive for the whole file stands below its first statement, where readers do not look for it. Move it to the top of the \
     file. Only `allow` may stand above a statement.",
);

/// A directive that this release reads but cannot carry out.
pub static UNSUPPORTED_DIRECTIVE: Code = Code::new(
    "unsupported-directive",
    "`code` (a step written in Rust) and `batch` (a backfill in slices) are reserved by the file format, but this release cannot run \
     them. Running the file without them would do something else than it says, so it is refused.",
);

/// A file with its way up and its way down in one, told apart by marker comments.
pub static MARKED_FILE: Code = Code::new(
    "marked-file",
    "The file holds `-- migrate:up`/`-- migrate:down` (dbmate) or `-- +goose Up`/`-- +goose Down` (goose): the way up and the way \
     down in one file. Run as a whole it would do and undo at once, so it is refused. Divide it into `NAME.up.sql` and \
     `NAME.down.sql`.",
);

/// Reads the comments of a text.
pub fn read(text: &str, dialect: Dialect, file: &str) -> (Directives, Vec<Finding>) {
    let mut reading = DirectiveParser { text, file, directives: Directives::default(), findings: Vec::new() };
    let mut in_header = true;
    for token in Tokens::new(text, dialect) {
        match token.kind {
            Kind::Space => {}
            Kind::Comment => reading.comment(token, in_header),
            _ => in_header = false,
        }
        // Most of a long text is no comment; nothing but comments is looked at below the header.
    }
    (reading.directives, reading.findings)
}

/// A rule that a file silences, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The rule.
    pub rule: String,
    /// The reason.
    pub reason: String,
    /// Where it says so, as bytes of the text.
    pub range: Range<usize>,
}

/// Every `allow` of a text, with its reason, also inside a dollar-quoted body; what is no `allow` at all, [`read`] reports.
pub fn allows(text: &str, dialect: Dialect) -> Vec<Allow> {
    let mut allows = Vec::new();
    for token in Tokens::new(text, dialect) {
        match token.kind {
            Kind::Comment => allows.extend(allowed(token.text(text), token.start)),
            Kind::DollarText => {
                let mut start = token.start;
                for line in token.text(text).split_inclusive('\n') {
                    if let Some(at) = line.find("--") {
                        allows.extend(allowed(line[at..].trim_end(), start + at));
                    }
                    start += line.len();
                }
            }
            _ => {}
        }
    }
    allows
}

/// What a comment allows: `-- migrate: allow RULE, RULE: reason`.
fn allowed(comment: &str, start: usize) -> Vec<Allow> {
    let rules = || {
        let body = comment.strip_prefix("--")?.trim();
        let order = body.get(..8).filter(|start| start.eq_ignore_ascii_case("migrate:")).map(|_| body[8..].trim())?;
        let (rules, reason) = order.strip_prefix("allow")?.trim_start_matches([':', ' ', '\t']).split_once(':')?;
        Some((rules.trim(), reason.trim())).filter(|(_, reason)| !reason.is_empty())
    };
    let Some((rules, reason)) = rules() else { return Vec::new() };
    let allow =
        |rule: &str| Allow { rule: rule.trim().to_owned(), reason: reason.to_owned(), range: start..start + comment.len() };
    rules.split(',').map(allow).collect()
}

struct DirectiveParser<'a> {
    text: &'a str,
    file: &'a str,
    directives: Directives,
    findings: Vec<Finding>,
}

impl DirectiveParser<'_> {
    fn comment(&mut self, token: Token, in_header: bool) {
        let Some(body) = token.text(self.text).strip_prefix("--") else {
            self.block_comment(token);
            return;
        };
        let body = body.trim();
        let order = body.get(..8).filter(|start| start.eq_ignore_ascii_case("migrate:")).map(|_| &body[8..]);
        let marker = order.or_else(|| body.strip_prefix("+goose"));
        let marker = marker.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
        if ["up", "down"].iter().any(|side| marker.eq_ignore_ascii_case(side)) {
            self.marked(token, body);
        } else if let Some(directive) = order {
            self.directive(token, directive.trim(), in_header);
        } else if let Some(key) = body.strip_prefix("migrate ").and_then(|rest| rest.split_whitespace().next())
            && KEYS.contains(&key)
        {
            self.findings.push(
                Finding::error(&BAD_DIRECTIVE, "a directive needs a colon behind `migrate`")
                    .at(self.place(token))
                    .help(format!("write `-- migrate: {key}`")),
            );
        } else if in_header && body == "no-transaction" {
            self.directives.no_transaction = true;
        } else if in_header {
            self.human(body);
        }
    }

    /// A directive in a comment of another kind would be overlooked.
    fn block_comment(&mut self, token: Token) {
        let body = token.text(self.text).trim_start_matches(['/', '*', '#', ' ', '\n', '\t']);
        let order = body.get(..8).filter(|start| start.eq_ignore_ascii_case("migrate:"));
        if order.is_some() {
            self.findings.push(
                Finding::error(&BAD_DIRECTIVE, "a directive stands in a line that begins with `--`")
                    .at(self.place(token))
                    .help("write `-- migrate: ...`"),
            );
        }
    }

    fn place(&self, token: Token) -> Place {
        let end = token.start + token.text(self.text).trim_end().len();
        Place::range(self.file, self.text, token.start..end)
    }

    fn marked(&mut self, token: Token, body: &str) {
        if self.findings.iter().any(|finding| finding.code == &MARKED_FILE) {
            return;
        }
        self.findings.push(
            Finding::error(
                &MARKED_FILE,
                format!("`-- {body}` marks a part of a file, and this folder holds one direction a file"),
            )
            .at(self.place(token))
            .help("divide the file into a pair: `NAME.up.sql` and `NAME.down.sql`"),
        );
    }

    fn directive(&mut self, token: Token, directive: &str, in_header: bool) {
        let end = directive.find([' ', '\t', ':']).unwrap_or(directive.len());
        let (key, value) = directive.split_at(end);
        let value = value.trim_start_matches([':', ' ', '\t']).trim();
        if !KEYS.contains(&key) {
            let help = match nearest(key, KEYS) {
                Some(known) => format!("write `{known}`"),
                None => format!("use one of {}", KEYS.map(|key| format!("`{key}`")).join(", ")),
            };
            self.findings
                .push(Finding::error(&BAD_DIRECTIVE, format!("there is no directive `{key}`")).at(self.place(token)).help(help));
            return;
        }
        if !in_header && key != "allow" {
            self.findings.push(
                Finding::error(&MISPLACED_DIRECTIVE, format!("`{key}` stands below the first statement"))
                    .at(self.place(token))
                    .help("move it to the top of the file"),
            );
            return;
        }
        if let Err(problem) = self.take(token, key, value) {
            self.findings.push(Finding::error(&BAD_DIRECTIVE, problem.message).at(self.place(token)).help(problem.help));
        }
    }

    fn take(&mut self, token: Token, key: &str, value: &str) -> Result<(), Problem> {
        let time = |value: &str| {
            duration::parse(value).ok_or_else(|| {
                Problem::new(format!("`{value}` is not a duration"), "write a number and a unit: `500ms`, `3s`, `30m`, `2h`")
            })
        };
        let told = |value: &str, example: &'static str| match value {
            "" => Err(Problem::new(format!("`{key}` says nothing"), example)),
            value => Ok(value.to_owned()),
        };
        let directives = &mut self.directives;
        match key {
            "no-transaction" => directives.no_transaction = true,
            "phase" => {
                let phase = value.parse();
                let phase = phase
                    .map_err(|()| Problem::new(format!("`{value}` is no phase"), "write `expand`, `migrate` or `contract`"))?;
                directives.phase = Some(phase);
            }
            "requires" => directives.requires.extend(requirements(value)?),
            "gate" => directives
                .gates
                .push(told(value, "write a query with one true value, such as `gate SELECT count(*) = 0 FROM old`")?),
            "timeout" => directives.timeout = Some(time(value)?),
            "lock-timeout" => directives.lock_timeout = Some(time(value)?),
            "irreversible" => directives.irreversible = Some(told(value, "say why: `irreversible: the old values are gone`")?),
            "allow" => {
                let reason = value.split_once(':').map_or("", |(_, reason)| reason.trim());
                told(reason, "name the rule and say why: `allow drop-column: nothing reads it since 2.3`")?;
            }
            _ => {
                let place = self.place(token);
                self.findings.push(
                    Finding::error(&UNSUPPORTED_DIRECTIVE, format!("this release cannot run a migration with `{key}`"))
                        .at(place)
                        .help("write it as plain SQL, or do this step in the application"),
                );
            }
        }
        Ok(())
    }

    /// `-- Description: ...` and its kind; what they say is shown, never enforced, except `Phase`.
    fn human(&mut self, body: &str) {
        let Some((key, value)) = body.split_once(':') else {
            return;
        };
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        if key.eq_ignore_ascii_case("description") {
            self.directives.description.get_or_insert_with(|| value.to_owned());
        } else if key.eq_ignore_ascii_case("author") {
            self.directives.author.get_or_insert_with(|| value.to_owned());
        } else if key.eq_ignore_ascii_case("phase") {
            let word = value.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
            self.directives.phase = self.directives.phase.or(word.parse().ok());
        }
    }
}

struct Problem {
    message: String,
    help: &'static str,
}

impl Problem {
    fn new(message: String, help: &'static str) -> Self {
        Problem { message, help }
    }
}

fn requirements(value: &str) -> Result<Vec<Requirement>, Problem> {
    value
        .split(',')
        .map(|one| {
            let one = one.trim();
            let (service, version) = match one.rsplit_once(':') {
                Some((service, version)) => (Some(service.trim().to_owned()), version.trim()),
                None => (None, one),
            };
            let version = version.parse();
            let version = version
                .map_err(|_| Problem::new(format!("`{one}` names no version"), "write versions: `requires 012, billing:003`"))?;
            Ok(Requirement { service, version })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directives(text: &str) -> Directives {
        let (directives, findings) = read(text, Dialect::Postgres, "f.sql");
        assert_eq!(findings, [], "{text}");
        directives
    }

    fn finding(text: &str) -> (&'static str, String) {
        let (_, findings) = read(text, Dialect::Postgres, "f.sql");
        assert_eq!(findings.len(), 1, "{findings:?}");
        (findings[0].code.name, findings[0].help.join("; "))
    }

    #[test]
    fn all_of_them() {
        let read = directives(
            "\n-- migrate: no-transaction\n--migrate:phase contract\n-- migrate: requires 012, billing:003\n-- migrate: gate SELECT true\n\
             -- migrate: timeout 30m\n-- migrate: lock-timeout: 3s\n-- migrate: irreversible: data is gone\nSELECT 1;\n\
             -- migrate: allow drop-column: unused\nSELECT 2;",
        );
        assert!(read.no_transaction);
        assert_eq!(read.phase, Some(Phase::Contract));
        let shown: Vec<String> = read.requires.iter().map(Requirement::to_string).collect();
        assert_eq!(shown, ["012", "billing:003"]);
        assert_eq!(read.gates, ["SELECT true"]);
        assert_eq!(read.timeout, Some(Duration::from_secs(1800)));
        assert_eq!(read.lock_timeout, Some(Duration::from_secs(3)));
        assert_eq!(read.irreversible.as_deref(), Some("data is gone"));
    }

    #[test]
    fn human_headers() {
        let read = directives(
            "-- Migration: 004\n-- Description: Add preferences\n-- Author: [Your Name]\n-- Phase: EXPAND (safe)\n\nSELECT 1;",
        );
        assert_eq!(read.description.as_deref(), Some("Add preferences"));
        assert_eq!(read.phase, Some(Phase::Expand));
        assert_eq!(directives("SELECT 1; -- Phase: EXPAND").phase, None);
    }

    #[test]
    fn the_mark_of_sqlx_anywhere_in_the_header() {
        assert!(directives("-- no-transaction\nSELECT 1;").no_transaction);
        assert!(directives("\n\n-- what it does\n-- no-transaction\nSELECT 1;").no_transaction);
        assert!(!directives("SELECT 1;\n-- no-transaction").no_transaction);
    }

    #[test]
    fn problems() {
        assert_eq!(finding("-- migrate: no-transacton"), ("bad-directive", "write `no-transaction`".into()));
        assert_eq!(finding("-- migrate no-transaction").0, "bad-directive");
        assert_eq!(finding("/* migrate: no-transaction */").0, "bad-directive");
        assert!(directives("-- Migrate: no-transaction").no_transaction);
        assert_eq!(finding("-- migrate: phase later").0, "bad-directive");
        assert_eq!(finding("-- migrate: timeout 30").0, "bad-directive");
        assert_eq!(finding("-- migrate: requires soon").0, "bad-directive");
        assert_eq!(finding("-- migrate: allow drop-column").0, "bad-directive");
        assert_eq!(finding("-- migrate: irreversible").0, "bad-directive");
        assert_eq!(finding("-- migrate: batch key=id size=10").0, "unsupported-directive");
        assert_eq!(finding("SELECT 1;\n-- migrate: no-transaction").0, "misplaced-directive");
        assert_eq!(finding("-- migrate:up\nSELECT 1;\n-- migrate:down\n").0, "marked-file");
        assert_eq!(finding("-- +goose Up\nSELECT 1;\n-- +goose Down\n").0, "marked-file");
    }

    #[test]
    fn text_in_strings_is_no_directive() {
        directives("SELECT '\n-- migrate: nonsense\n';");
    }
}
