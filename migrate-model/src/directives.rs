//! The directives in the comments of a file, `-- migrate: key value`, and header lines such as `-- Description: text`.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::duration;
use crate::finding::Finding;
use crate::finding_list::FindingList;
use crate::place::{Place, SourceText};
use crate::statement::Statement;
use crate::suggestion::nearest;
use crate::token::{Kind, Token, Tokens};
use crate::version::Version;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

/// The phase of an expand-contract change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Adds objects without affecting the deployed version.
    Expand,
    /// Moves data.
    Migrate,
    /// Removes objects that are no longer used.
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

/// A migration that must be applied first: `012`, or `billing:003` in the history of another service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requirement {
    /// `None` for a migration of the same service.
    pub service: Option<String>,
    pub version: Version,
}

impl Requirement {
    /// A migration of the same service, or of another one.
    pub fn new(service: Option<String>, version: Version) -> Self {
        Requirement { service, version }
    }
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
#[non_exhaustive]
pub struct Directives {
    /// Runs the file statement by statement, outside a transaction.
    pub no_transaction: bool,
    /// The phase of an expand-contract change that the file belongs to.
    pub phase: Option<Phase>,
    /// Migrations that must be applied first.
    pub requires: Vec<Requirement>,
    /// Queries that must each return exactly one row with the value true before the migration starts (preconditions).
    pub gates: Vec<String>,
    /// How long the migration may run.
    pub timeout: Option<Duration>,
    /// How long a statement waits for a table lock.
    pub lock_timeout: Option<Duration>,
    /// The reason why there is no down migration.
    pub irreversible: Option<String>,
    /// The text after `-- Description:`.
    pub description: Option<String>,
    /// The text after `-- Author:`.
    pub author: Option<String>,
}

const KEYS: [&str; 12] = [
    "no-transaction",
    "phase",
    "requires",
    "gate",
    "timeout",
    "lock-timeout",
    "allow",
    "irreversible",
    "deprecates",
    "hands-over",
    "code",
    "batch",
];

/// Keys that are reserved: a file with one of them is rejected.
const UNSUPPORTED: [&str; 2] = ["code", "batch"];

/// An unknown directive, or one with an invalid value.
pub static BAD_DIRECTIVE: Code = Code::new(
    "bad-directive",
    "A directive, `-- migrate: key value`, has an unknown key or an invalid value. This is an error, because the directive would otherwise be ignored silently.\n\nKnown keys: `no-transaction`, `phase expand|migrate|contract`, \
     `requires 012, billing:003`, `gate SELECT ...`, `timeout 30m`, `lock-timeout 3s`, `allow RULE: reason`, \
     `irreversible: reason`, `deprecates TABLE: reason`, `hands-over TABLE to SERVICE`. `billing:003` is version 003 of the service `billing`. All keys except `allow` must appear before the first statement.",
);

/// A directive after the first statement.
pub static MISPLACED_DIRECTIVE: Code = Code::new(
    "misplaced-directive",
    "A directive for the whole file must appear before the first statement, where readers expect it. Move it to the top of the \
     file. Only `allow` may appear later, above the statement that it applies to.",
);

/// A directive that is reserved and not supported.
pub static UNSUPPORTED_DIRECTIVE: Code = Code::new(
    "unsupported-directive",
    "The directives `code` (a step written in Rust) and `batch` (a backfill in batches) are reserved by the file format, but \
     this version of cargo-migrate does not support them. If they were ignored, the file would not do what its author intends, so the file is rejected.",
);

/// A file with marker comments for an up part and a down part.
pub static MARKED_FILE: Code = Code::new(
    "marked-file",
    "The file contains both the up migration and the down migration, separated by the markers `-- migrate:up` and `-- migrate:down` (dbmate), \
     `-- +goose Up` and `-- +goose Down` (goose), `-- +migrate Down` (sql-migrate), `-- Down Migration` (node-pg-migrate), \
     `---- create above / drop below ----` (tern), or by a similar comment such as `-- Down`. If it ran as a whole, it would \
     apply and revert the change, so it is rejected. Split it into `NAME.up.sql` and `NAME.down.sql`. If the comment \
     is not a marker, write more in it.",
);

/// Whether a comment marks the part of a file that reverts the part before it, as other tools read it: the comment consists of
/// nothing else than the word, and perhaps the name of the tool.
fn is_down_marker(comment: &str) -> bool {
    const TOOLS: [&str; 6] = ["goose", "migrate", "migration", "micrate", "rambler", "sql"];
    const MARKS: [&str; 3] = ["down", "downs", "undo"];
    let mut words = comment.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    if comment.len() > 80 || comment.contains('\n') {
        return false;
    }
    let is_any = |word: &str, known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known));
    let rest: Vec<&str> = words.by_ref().filter(|word| !is_any(word, &TOOLS)).take(5).collect();
    matches!(rest[..], [word] if is_any(word, &MARKS)) || rest == ["create", "above", "drop", "below"]
}

fn marked(comment: &str, place: Place) -> Finding {
    let message = format!(
        "`{comment}` marks a part of the file, but a file must contain either the up migration or the down migration, not both"
    );
    Finding::error(&MARKED_FILE, message).at(place).help("split the file into `NAME.up.sql` and `NAME.down.sql`")
}

/// The finding for an up migration with a comment between its statements, alone on its line, that marks the rest of the file as the
/// down migration.
pub fn down_part(source: &SourceText<'_>, statements: &[Statement], dialect: Dialect) -> Option<Finding> {
    let text = source.text();
    let gaps = statements.windows(2).map(|pair| {
        let start = pair[0].copy_data.as_ref().map_or(pair[0].range.end, |data| data.end.max(pair[0].range.end));
        start..pair[1].range.start.max(start)
    });
    for gap in gaps {
        let between = text.get(gap.clone()).unwrap_or_default();
        if !between.contains(['-', '*', '#']) {
            continue;
        }
        let comments = Tokens::new(between, dialect).filter(|token| token.kind == Kind::Comment);
        for comment in comments.filter(|comment| is_down_marker(comment.text(between))) {
            let line_start = between[..comment.start].rfind(['\n', '\r']);
            let is_alone = line_start.is_some_and(|start| between[start..comment.start].trim().is_empty());
            if is_alone {
                let range = gap.start + comment.start..gap.start + comment.end;
                return Some(marked(comment.text(between).trim(), source.place(range)));
            }
        }
    }
    None
}

/// Parses the directives in the comments of a text; also returns the problems in them.
pub fn read(text: &str, dialect: Dialect, file: &str) -> (Directives, FindingList) {
    read_tokens(&SourceText::new(file, text), Tokens::new(text, dialect))
}

/// Parses the directives in the comments among the tokens of a text.
pub fn read_tokens(source: &SourceText<'_>, tokens: Tokens<'_>) -> (Directives, FindingList) {
    let text = source.text();
    let mut parser = DirectiveParser { text, source, directives: Directives::default(), findings: FindingList::default() };
    let mut in_header = true;
    for token in tokens {
        match token.kind {
            Kind::Space => {}
            Kind::Comment => parser.comment(token, in_header),
            _ => in_header = false,
        }
    }
    (parser.directives, parser.findings)
}

/// A safety rule whose findings a file suppresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The name of the rule.
    pub rule: String,
    pub reason: String,
    /// The comment, as a range of bytes of the text.
    pub range: Range<usize>,
}

/// Every valid `allow` of a text, including those in dollar-quoted bodies. [`read`] reports invalid ones.
pub fn allows(text: &str, dialect: Dialect) -> Vec<Allow> {
    let mut allows = Vec::new();
    for token in Tokens::new(text, dialect) {
        match token.kind {
            Kind::Comment => allows.extend(parse_allow(token.text(text), token.start)),
            Kind::DollarText => {
                let mut start = token.start;
                for line in token.text(text).split_inclusive(['\n', '\r']) {
                    if let Some(at) = line.find("--") {
                        allows.extend(parse_allow(line[at..].trim_end(), start + at));
                    }
                    start += line.len();
                }
            }
            _ => {}
        }
    }
    allows
}

/// The rules and the reason of a comment `-- migrate: allow RULE, RULE: reason`.
fn rules_and_reason(comment: &str) -> Option<(&str, &str)> {
    let body = comment.strip_prefix("--")?.trim();
    let directive = body.get(..8).filter(|start| start.eq_ignore_ascii_case("migrate:")).map(|_| body[8..].trim())?;
    let (rules, reason) = directive.strip_prefix("allow")?.trim_start_matches([':', ' ', '\t']).split_once(':')?;
    Some((rules.trim(), reason.trim())).filter(|(_, reason)| !reason.is_empty())
}

/// One `Allow` for each rule of a comment that begins at byte `start` of the text.
fn parse_allow(comment: &str, start: usize) -> Vec<Allow> {
    let Some((rules, reason)) = rules_and_reason(comment) else { return Vec::new() };
    let allow =
        |rule: &str| Allow { rule: rule.trim().to_owned(), reason: reason.to_owned(), range: start..start + comment.len() };
    rules.split(',').map(allow).collect()
}

/// What a file says about who owns its objects, beside its statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// `deprecates likes, comments: reason`: the objects are no longer to be used.
    Deprecates { names: Vec<String>, reason: Option<String> },
    /// `hands-over likes to social`: from now on, the objects belong to another service.
    HandsOver { names: Vec<String>, to: String },
}

/// What the directives of a file say about who owns its objects, each with the range of the comment. [`read`] reports invalid ones.
pub fn ownerships(text: &str, dialect: Dialect) -> Vec<(Ownership, Range<usize>)> {
    let is_in_header = |token: &Token| matches!(token.kind, Kind::Space | Kind::Comment);
    let comments = Tokens::new(text, dialect).take_while(is_in_header).filter(|token| token.kind == Kind::Comment);
    let parse = |token: Token| {
        let comment = token.text(text).trim_end();
        let body = comment.strip_prefix("--")?.trim_start();
        let directive = body.get(..8).filter(|start| start.eq_ignore_ascii_case("migrate:")).map(|_| body[8..].trim())?;
        let (key, value) = key_and_value(directive);
        let ownership = ["deprecates", "hands-over"].contains(&key).then(|| ownership(key, value).ok()).flatten()?;
        Some((ownership, token.start..token.start + comment.len()))
    };
    comments.filter_map(parse).collect()
}

fn key_and_value(directive: &str) -> (&str, &str) {
    let end = directive.find([' ', '\t', ':']).unwrap_or(directive.len());
    let (key, value) = directive.split_at(end);
    (key, value.trim_start_matches([':', ' ', '\t']).trim())
}

fn ownership(key: &str, value: &str) -> Result<Ownership, Problem> {
    let problem = |missing: &str| {
        let help = "write, for example, `deprecates likes, comments: social has its own` or `hands-over likes to social`";
        Problem::new(format!("`{key} {value}` does not name {missing}"), help)
    };
    let deprecates = key == "deprecates";
    let to = value.to_ascii_lowercase().rfind(" to ").map(|at| (&value[..at], &value[at + 4..]));
    let (tables, rest) = if deprecates { value.split_once(':') } else { to }.unwrap_or((value, ""));
    let rest = Some(rest.trim().to_owned()).filter(|rest| !rest.is_empty());
    let is_name = |name: &str| !name.is_empty() && (name.contains(['"', '`']) || !name.contains(char::is_whitespace));
    if !tables.split(',').all(|name| is_name(name.trim())) {
        return Err(problem("tables, separated by commas"));
    }
    let names = tables.split(',').map(|name| name.trim().replace(['"', '`'], "")).collect();
    match rest {
        reason if deprecates => Ok(Ownership::Deprecates { names, reason }),
        Some(to) if !to.contains(char::is_whitespace) => Ok(Ownership::HandsOver { names, to }),
        _ => Err(problem("a service")),
    }
}

struct DirectiveParser<'a> {
    text: &'a str,
    source: &'a SourceText<'a>,
    directives: Directives,
    findings: FindingList,
}

impl DirectiveParser<'_> {
    fn comment(&mut self, token: Token, in_header: bool) {
        let Some(body) = token.text(self.text).strip_prefix("--") else {
            self.block_comment(token);
            return;
        };
        let body = body.trim();
        let directive = body.get(..8).filter(|start| start.eq_ignore_ascii_case("migrate:")).map(|_| &body[8..]);
        let marker = directive.or_else(|| body.strip_prefix("+goose"));
        let marker = marker.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
        if ["up", "down"].iter().any(|direction| marker.eq_ignore_ascii_case(direction)) {
            let place = self.place(token);
            if self.findings.iter().all(|finding| finding.code != &MARKED_FILE) {
                self.findings.push(marked(&format!("-- {body}"), place));
            }
        } else if let Some(directive) = directive {
            self.directive(token, directive.trim(), in_header);
        } else if let Some(key) = body.strip_prefix("migrate ").and_then(|rest| rest.split_whitespace().next())
            && KEYS.contains(&key)
        {
            self.findings.push(
                Finding::error(&BAD_DIRECTIVE, "a directive requires a colon after `migrate`")
                    .at(self.place(token))
                    .help(format!("write `-- migrate: {key}`")),
            );
        } else if in_header && body == "no-transaction" {
            self.directives.no_transaction = true;
        } else if in_header {
            self.header_line(body);
        }
    }

    /// Reports a directive in a comment of another kind, where it would have no effect.
    fn block_comment(&mut self, token: Token) {
        let body = token.text(self.text).trim_start_matches(['/', '*', '#', ' ', '\n', '\t']);
        if body.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("migrate:")) {
            self.findings.push(
                Finding::error(&BAD_DIRECTIVE, "a directive must be in a comment that begins with `--`")
                    .at(self.place(token))
                    .help("write `-- migrate: ...`"),
            );
        }
    }

    fn place(&self, token: Token) -> Place {
        let end = token.start + token.text(self.text).trim_end().len();
        self.source.place(token.start..end)
    }

    fn directive(&mut self, token: Token, directive: &str, in_header: bool) {
        let (key, value) = key_and_value(directive);
        if !KEYS.contains(&key) {
            let help = match nearest(key, KEYS) {
                Some(known) => format!("write `{known}`"),
                None => {
                    let usable: Vec<String> =
                        KEYS.iter().filter(|key| !UNSUPPORTED.contains(key)).map(|key| format!("`{key}`")).collect();
                    format!("use one of {}", usable.join(", "))
                }
            };
            self.findings
                .push(Finding::error(&BAD_DIRECTIVE, format!("there is no directive `{key}`")).at(self.place(token)).help(help));
            return;
        }
        if !in_header && key != "allow" {
            self.findings.push(
                Finding::error(&MISPLACED_DIRECTIVE, format!("`{key}` must appear before the first statement"))
                    .at(self.place(token))
                    .help("move it to the top of the file"),
            );
            return;
        }
        if let Err(problem) = self.set(token, key, value) {
            self.findings.push(Finding::error(&BAD_DIRECTIVE, problem.message).at(self.place(token)).help(problem.help));
        }
    }

    fn set(&mut self, token: Token, key: &str, value: &str) -> Result<(), Problem> {
        let time_limit = |value: &str| {
            duration::parse(value).ok_or_else(|| {
                Problem::new(format!("`{value}` is not a duration"), "write a number and a unit: `500ms`, `3s`, `30m`, `2h`")
            })
        };
        let required = |value: &str, help: &'static str| match value {
            "" => Err(Problem::new(format!("the value of `{key}` is missing"), help)),
            value => Ok(value.to_owned()),
        };
        let directives = &mut self.directives;
        match key {
            "no-transaction" => directives.no_transaction = true,
            "phase" => {
                let phase = value.parse();
                let phase = phase.map_err(|()| {
                    Problem::new(format!("`{value}` is not a valid phase"), "write `expand`, `migrate` or `contract`")
                })?;
                directives.phase = Some(phase);
            }
            "requires" => directives.requires.extend(requirements(value)?),
            "gate" => directives.gates.push(required(
                value,
                "write a query that returns one row with the value true, such as `gate SELECT count(*) = 0 FROM old`",
            )?),
            "timeout" => directives.timeout = Some(time_limit(value)?),
            "lock-timeout" => directives.lock_timeout = Some(time_limit(value)?),
            "irreversible" => {
                directives.irreversible = Some(required(value, "write the reason: `irreversible: the old values are deleted`")?)
            }
            "deprecates" | "hands-over" => drop(ownership(key, value)?),
            "allow" => {
                let reason = value.split_once(':').map_or("", |(_, reason)| reason.trim());
                if reason.is_empty() {
                    let help = "write the rule and the reason: `allow drop-column: not used since 2.3`";
                    return Err(Problem::new("`allow` requires a rule and a reason".to_owned(), help));
                }
            }
            _ => {
                let place = self.place(token);
                self.findings.push(
                    Finding::error(&UNSUPPORTED_DIRECTIVE, format!("`{key}` is not supported by this version of cargo-migrate"))
                        .at(place)
                        .help("write the step as plain SQL, or execute it in the application"),
                );
            }
        }
        Ok(())
    }

    /// A line such as `-- Description: text`. Description and author are only displayed; `Phase` has the effect of the directive.
    fn header_line(&mut self, body: &str) {
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
    value.split(',').map(requirement).collect()
}

/// `012` or `billing:003`.
fn requirement(text: &str) -> Result<Requirement, Problem> {
    let text = text.trim();
    let (service, version) = match text.rsplit_once(':') {
        Some((service, version)) => (Some(service.trim().to_owned()), version.trim()),
        None => (None, text),
    };
    match version.parse() {
        Ok(version) => Ok(Requirement { service, version }),
        Err(_) => {
            let message = format!("`{text}` is not a valid version");
            Err(Problem::new(
                message,
                "write a list of versions, with `SERVICE:` before a version of another service: `requires 012, billing:003`",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement;

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
        let requirements: Vec<String> = read.requires.iter().map(Requirement::to_string).collect();
        assert_eq!(requirements, ["012", "billing:003"]);
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
        let is_marked = |text: &str| {
            let (statements, _) = statement::split(text, Dialect::Postgres, "f");
            down_part(&SourceText::new("f", text), &statements, Dialect::Postgres).is_some()
        };
        for marker in [
            "-- +migrate Down",
            "-- Down Migration",
            "---- create above / drop below ----",
            "-- Down",
            "-- down",
            "-- //@UNDO",
            "-- +micrate Down",
            "-- rambler down",
            "-- !Downs",
            "/* undo */",
            "-- === DOWN ===",
        ] {
            assert!(is_marked(&format!("SELECT 1;\n{marker}\nSELECT 2;\n")), "{marker}");
            // A file of its own, or a part that is not SQL, or a comment of something else.
            for harmless in [
                format!("{marker}\nSELECT 1;\n"),
                format!("SELECT 1;\n{marker}\n-- SELECT 2;\n"),
                format!("SELECT 1; {marker}\nSELECT 2;\n"),
                format!("SELECT 1;\nCREATE TABLE v (\n{marker}\na int);\n"),
                format!("SELECT 1;\nDO $$ BEGIN NULL;\n{marker}\nNULL; END $$;\n"),
            ] {
                assert!(!is_marked(&harmless), "{harmless}");
            }
        }
        for comment in ["-- drop down the old table", "-- Down we go", "-- scale down", "-- up", "-- rollback", "-- revert"] {
            assert!(!is_marked(&format!("SELECT 1;\n{comment}\nSELECT 2;\n")), "{comment}");
        }
    }

    #[test]
    fn text_in_strings_is_no_directive() {
        directives("SELECT '\n-- migrate: nonsense\n';");
    }
}
