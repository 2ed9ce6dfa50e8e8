//! The only module that prints: data to stdout, messages to stderr, colours only on a terminal.

use crate::arguments::{Format, Global};
use crate::failure::CommandError;
use crate::relative_paths::relative_to_cwd;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use migrate_model::divergence::Divergence;
use migrate_model::finding::Finding;
use migrate_model::render;
use serde::Serialize;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Prints the messages, findings and data of a command.
#[derive(Debug, Clone)]
pub struct Output {
    format: Format,
    quiet: bool,
    verbose: bool,
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
        Cell { text: text.into(), style: Style::new() }
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
    /// An output with the format and verbosity of the arguments.
    pub fn new(global: &Global) -> Self {
        Output { format: global.format, quiet: global.quiet, verbose: global.verbose, write_failed: Arc::default() }
    }

    /// Whether writing to stdout failed, so that the command must not exit with 0.
    pub fn write_failed(&self) -> bool {
        self.write_failed.load(Ordering::Relaxed)
    }

    /// Whether a program reads the output: true for every format but `human`.
    pub fn is_json(&self) -> bool {
        self.format != Format::Human
    }

    /// Whether a progress bar is drawn: only for text on a terminal, and without `--quiet`.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && !self.is_json() && io::stderr().is_terminal()
    }

    /// Prints a line to stderr, unless `--quiet` is given.
    pub fn message(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.stderr(text.as_ref());
        }
    }

    /// Prints a line to stderr if `--verbose` is given.
    pub fn verbose(&self, text: impl AsRef<str>) {
        if self.verbose {
            self.stderr(text.as_ref());
        }
    }

    /// Prints a line that starts with a green verb, like the status lines of cargo.
    pub fn status(&self, verb: &str, text: &str) {
        let style = AnsiColor::Green.on_default().bold();
        self.message(format!("{style}{verb:>12}{style:#} {text}"));
    }

    /// Prints the data of the command to stdout.
    pub fn data(&self, text: impl AsRef<str>) {
        let written = writeln!(anstream::stdout(), "{}", text.as_ref());
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
            Ok(text) => self.data(text),
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
        if io::stdout().is_terminal() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        table.set_header(head.iter().map(|title| title.to_uppercase()));
        for row in rows {
            table.add_row(row.into_iter().map(|cell| paint(cell, colour)));
        }
        for line in table.lines() {
            self.data(line.trim_end());
        }
    }

    /// Prints findings to stderr in the layout of compiler messages; with `--quiet` only errors.
    pub fn findings(&self, findings: &[Finding]) {
        let errors_only = self.quiet;
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
        let findings = error_findings(failure);
        if self.is_json() {
            self.json(&serde_json::json!({ "error": findings.iter().map(finding_json).collect::<Vec<_>>() }));
            return;
        }
        let text = render::findings(&findings, self.colour_on_stderr());
        self.stderr(text.replace("error[]", "error").as_str());
    }

    /// Asks the user to confirm. Returns `None` if no terminal is available, or if a program reads the output.
    pub fn confirm(&self, question: &str) -> Option<bool> {
        if self.is_json() || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        let _ = write!(anstream::stderr(), "{question} [y/N] ");
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
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

/// Converts a mismatch between files and history to a finding without a place.
pub fn as_finding(divergence: &Divergence) -> Finding {
    let mut finding = Finding::error(divergence.code, divergence.message.clone());
    finding.level = divergence.level;
    finding.notes.clone_from(&divergence.notes);
    finding.help.clone_from(&divergence.help);
    finding
}

static NO_CODE: migrate_model::code::Code = migrate_model::code::Code::new("", "");

/// Converts an error to findings. Mismatches precede the finding that states the failure.
pub fn error_findings(failure: &CommandError) -> Vec<Finding> {
    match failure {
        CommandError::Findings(findings) => findings.clone(),
        CommandError::Diverged(divergences) => {
            let mut findings: Vec<Finding> = divergences.iter().map(as_finding).collect();
            findings.push(Finding::error(
                &migrate_runtime::codes::HISTORY_MISMATCH,
                "nothing would run: the migration files do not match the database history",
            ));
            findings
        }
        CommandError::Usage { message, help } | CommandError::Other { message, help } => {
            let mut finding = Finding::error(&NO_CODE, message.clone());
            finding.help.clone_from(help);
            vec![finding]
        }
        CommandError::Run { error, project } => {
            let divergences = error.divergences().iter();
            let mut findings: Vec<Finding> = divergences.map(|divergence| divergence.finding.clone()).collect();
            let finding = error.finding().clone();
            findings.push(match project {
                Some(project) => relative_to_cwd(project, finding),
                None => finding,
            });
            findings
        }
    }
}

/// A finding as JSON; see docs/format.md.
pub fn finding_json(finding: &Finding) -> serde_json::Value {
    let span = finding.place.as_ref().and_then(|place| place.span.as_ref());
    serde_json::json!({
        "code": finding.code.name,
        "level": finding.level.name(),
        "message": finding.message,
        "file": finding.place.as_ref().map(|place| &place.file),
        "line": span.map(|span| span.position.line),
        "column": span.map(|span| span.position.column),
        "notes": finding.notes,
        "help": finding.help,
    })
}
