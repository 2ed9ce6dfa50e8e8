//! The only module that prints: data to stdout, messages to stderr, colours only on a terminal.

use crate::failure::CommandError;
use crate::server_notices;
use crate::views;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use migrate_model::finding::Finding;
use migrate_model::render;
use migrate_model::visible;
use migrate_runtime::Divergence;
use serde::Serialize;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Who reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// People: tables and messages.
    People,
    /// A program: one document on stdout.
    Program,
}

/// How much is printed for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only errors.
    Quiet,
    /// What happens.
    Normal,
    /// More than that.
    Verbose,
}

/// Prints the messages, findings and data of a command.
#[derive(Debug, Clone)]
pub struct Output {
    audience: Audience,
    verbosity: Verbosity,
    write_failed: Arc<AtomicBool>,
}

/// A cell of a table. Its colour repeats what its text states, so that no meaning depends on colour.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell without a colour.
    pub fn plain(text: impl Into<String>) -> Self {
        Cell { text: visible::one_line(&text.into()).into_owned(), style: Style::new() }
    }

    /// The same cell with more lines.
    #[must_use]
    pub fn with_lines(mut self, lines: &[String]) -> Self {
        for line in lines {
            self.text.push('\n');
            self.text.push_str(&visible::one_line(line));
        }
        self
    }

    /// The same cell with more text.
    #[must_use]
    pub fn with(mut self, text: &str) -> Self {
        self.text.push_str(&visible::one_line(text));
        self
    }

    /// A cell of several lines, without a colour.
    pub fn lines(lines: &[String]) -> Self {
        let lines: Vec<_> = lines.iter().map(|line| visible::one_line(line)).collect();
        Cell { text: lines.join("\n"), style: Style::new() }
    }

    /// A cell in green.
    pub fn good(text: impl Into<String>) -> Self {
        Cell { style: AnsiColor::Green.on_default(), ..Cell::plain(text) }
    }

    /// A cell in yellow.
    pub fn pending(text: impl Into<String>) -> Self {
        Cell { style: AnsiColor::Yellow.on_default(), ..Cell::plain(text) }
    }

    /// A cell in red.
    pub fn bad(text: impl Into<String>) -> Self {
        Cell { style: AnsiColor::Red.on_default().bold(), ..Cell::plain(text) }
    }
}

impl Output {
    /// An output for an audience.
    pub fn new(audience: Audience, verbosity: Verbosity) -> Self {
        Output { audience, verbosity, write_failed: Arc::default() }
    }

    /// The same output, which prints only errors.
    #[must_use]
    pub fn quiet(&self) -> Self {
        Output { verbosity: Verbosity::Quiet, ..self.clone() }
    }

    /// Whether writing to stdout failed, so that the command must not exit with 0.
    pub fn write_failed(&self) -> bool {
        self.write_failed.load(Ordering::Relaxed)
    }

    /// Whether a program reads the output: true for every format but `human`.
    pub fn is_json(&self) -> bool {
        self.audience == Audience::Program
    }

    /// Whether a progress bar is drawn: only for text on a terminal, and without `--quiet`.
    pub fn shows_progress(&self) -> bool {
        self.verbosity > Verbosity::Quiet && !self.is_json() && io::stderr().is_terminal()
    }

    /// Prints a line to stderr, unless `--quiet` is given.
    pub fn message(&self, text: impl AsRef<str>) {
        if self.verbosity > Verbosity::Quiet {
            self.stderr(&visible::lines(text.as_ref()));
        }
    }

    /// Prints what the next question is about to stderr, also with `--quiet`. Prints nothing for a program.
    pub fn subject(&self, text: impl AsRef<str>) {
        if !self.is_json() {
            self.stderr(&visible::lines(text.as_ref()));
        }
    }

    /// Whether `--verbose` is given.
    pub fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    /// Prints a line to stderr if `--verbose` is given.
    pub fn verbose(&self, text: impl AsRef<str>) {
        if self.is_verbose() {
            self.stderr(&visible::lines(text.as_ref()));
        }
    }

    /// Prints a line that starts with a green verb, like the status lines of cargo.
    pub fn status(&self, verb: &str, text: &str) {
        let style = AnsiColor::Green.on_default().bold();
        if self.verbosity > Verbosity::Quiet {
            self.stderr(&format!("{style}{verb:>12}{style:#} {}", visible::one_line(text)));
        }
    }

    /// Prints the data of the command to stdout.
    pub fn data(&self, text: impl AsRef<str>) {
        self.stdout(&visible::lines(text.as_ref()));
    }

    /// Prints a command for a CI system to stdout, whose parts are escaped.
    pub fn ci_command(&self, text: &str) {
        self.stdout(&visible::ci_command(text));
    }

    fn stdout(&self, text: &str) {
        let written = writeln!(anstream::stdout(), "{text}");
        // A reader that closes the pipe, such as `head`, is not a failure.
        if let Err(error) = written.and_then(|()| io::stdout().flush())
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.stderr(&format!("error: cannot write the output: {error}"));
            self.write_failed.store(true, Ordering::Relaxed);
        }
    }

    /// Prints the data of the command to stdout as JSON.
    pub fn json(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.stdout(&visible::json(&text)),
            Err(error) => self.stderr(&format!("error: cannot write JSON: {error}")),
        }
    }

    fn stderr(&self, text: &str) {
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    fn colour_on_stderr(&self) -> bool {
        AutoStream::choice(&io::stderr()) != ColorChoice::Never
    }

    /// Prints a table to stdout, wrapped to the width of the terminal; without a terminal it is not wrapped.
    pub fn table(&self, head: &[&str], rows: Vec<Vec<Cell>>) {
        let colour = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if colour {
            table.enforce_styling();
        }
        if io::stdout().is_terminal() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        table.set_header(head.iter().map(|title| title.to_uppercase()));
        for row in rows {
            table.add_row(row.into_iter().map(|cell| paint(cell, colour)));
        }
        for line in table.lines() {
            self.stdout(&visible::without_commands(line.trim_end()));
        }
    }

    /// Prints findings to stderr in the layout of compiler messages; with `--quiet` only errors.
    pub fn findings(&self, findings: &[Finding]) {
        let errors_only = self.verbosity == Verbosity::Quiet;
        let selected: Vec<&Finding> = findings.iter().filter(|finding| finding.is_error() || !errors_only).collect();
        if !selected.is_empty() {
            let text = render::findings(selected, self.colour_on_stderr());
            self.stderr(&format!("{text}\n"));
        }
    }

    /// Prints mismatches between the migration files and the database history.
    pub fn divergences(&self, divergences: &[Divergence]) {
        let findings: Vec<Finding> = divergences.iter().map(|divergence| divergence.finding.clone()).collect();
        self.findings(&findings);
    }

    /// Prints the error of the command: as text to stderr, or as JSON to stdout.
    pub fn failure(&self, failure: &CommandError) {
        let findings = failure.findings();
        if self.is_json() {
            self.json(&error_document(&findings));
            return;
        }
        self.stderr(&render::findings(&findings, self.colour_on_stderr()));
    }

    /// Asks the user to confirm. Returns `None` if no terminal is available, or if a program reads the output.
    pub fn confirm(&self, question: &str) -> Option<bool> {
        if self.is_json() || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        let _ = write!(anstream::stderr(), "{} [y/N] ", visible::lines(question));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}

/// The document of a command that failed: the error, and what the server said before.
pub fn error_document(findings: &[Finding]) -> serde_json::Value {
    let error: Vec<serde_json::Value> = findings.iter().map(views::finding).collect();
    let mut document = serde_json::json!({ "error": error });
    let (notices, omitted) = server_notices::take();
    if !notices.is_empty() {
        document["notices"] = notices.iter().map(views::notice).collect();
        document["omitted_notices"] = omitted.into();
    }
    document
}

fn paint(cell: Cell, colour: bool) -> comfy_table::Cell {
    let mut painted = comfy_table::Cell::new(cell.text);
    if colour {
        painted = match cell.style.get_fg_color() {
            Some(anstyle::Color::Ansi(AnsiColor::Green)) => painted.fg(comfy_table::Color::Green),
            Some(anstyle::Color::Ansi(AnsiColor::Yellow)) => painted.fg(comfy_table::Color::Yellow),
            Some(anstyle::Color::Ansi(AnsiColor::Red)) => painted.fg(comfy_table::Color::Red),
            _ => painted,
        };
    }
    painted
}
