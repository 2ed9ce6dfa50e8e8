//! The only room that prints: data to stdout, words to stderr, colours on a terminal only.

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

/// Where a command says what it has to say.
#[derive(Debug, Clone)]
pub struct Output {
    format: Format,
    quiet: bool,
    verbose: bool,
    lost: Arc<AtomicBool>,
}

/// A cell of a table with what it means, which its colour repeats.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A plain cell.
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
    /// As the arguments ask for it.
    pub fn new(global: &Global) -> Self {
        Output { format: global.format, quiet: global.quiet, verbose: global.verbose, lost: Arc::default() }
    }

    /// Could something that was asked for not be written?
    pub fn write_failed(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Is a program reading?
    pub fn is_json(&self) -> bool {
        self.format != Format::Human
    }

    /// May a progress bar be drawn?
    pub fn shows_progress(&self) -> bool {
        !self.quiet && !self.is_json() && io::stderr().is_terminal()
    }

    /// A line for people.
    pub fn message(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.stderr(text.as_ref());
        }
    }

    /// A line for people who want to know more.
    pub fn verbose(&self, text: impl AsRef<str>) {
        if self.verbose {
            self.stderr(text.as_ref());
        }
    }

    /// A line that begins with a verb in green, as cargo's do.
    pub fn status(&self, verb: &str, text: &str) {
        let style = AnsiColor::Green.on_default().bold();
        self.message(format!("{style}{verb:>12}{style:#} {text}"));
    }

    /// What was asked for.
    pub fn data(&self, text: impl AsRef<str>) {
        let written = writeln!(anstream::stdout(), "{}", text.as_ref());
        // A closed pipe (`| head`) is no failure.
        if let Err(error) = written.and_then(|()| io::stdout().flush())
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.stderr(&format!("error: cannot write the output: {error}"));
            self.lost.store(true, Ordering::Relaxed);
        }
    }

    /// What was asked for, for a program.
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

    /// A table on stdout: as wide as the terminal, or as it needs to be where there is none.
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

    /// Findings, as the compiler shows them.
    pub fn findings(&self, findings: &[Finding]) {
        let errors_only = self.quiet;
        let shown: Vec<&Finding> = findings.iter().filter(|finding| finding.is_error() || !errors_only).collect();
        if !shown.is_empty() {
            let text = render::findings(shown, self.colour_on_stderr());
            self.stderr(&format!("{text}\n"));
        }
    }

    /// Disagreements of files and history.
    pub fn divergences(&self, divergences: &[Divergence]) {
        let findings: Vec<Finding> = divergences.iter().map(|divergence| divergence.finding.clone()).collect();
        self.findings(&findings);
    }

    /// Why the command failed; as JSON too, when a program is reading.
    pub fn failure(&self, failure: &CommandError) {
        let findings = error_findings(failure);
        if self.is_json() {
            self.json(&serde_json::json!({ "error": findings.iter().map(finding_json).collect::<Vec<_>>() }));
            return;
        }
        let text = render::findings(&findings, self.colour_on_stderr());
        self.stderr(text.replace("error[]", "error").as_str());
    }

    /// Asks; `None` when nobody is there to answer.
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

static NO_CODE: migrate_model::code::Code = migrate_model::code::Code::new("", "");

/// A failure as findings.
pub fn error_findings(failure: &CommandError) -> Vec<Finding> {
    match failure {
        CommandError::Findings(findings) => findings.clone(),
        CommandError::Diverged(divergences) => {
            let mut findings: Vec<Finding> = divergences.iter().map(|divergence| divergence.finding.clone()).collect();
            findings
                .push(Finding::error(&migrate_runtime::codes::HISTORY_MISMATCH, "nothing would run: files and history disagree"));
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

/// A finding for programs.
pub fn finding_json(finding: &Finding) -> serde_json::Value {
    let spot = finding.place.as_ref().and_then(|place| place.span.as_ref());
    serde_json::json!({
        "code": finding.code.name,
        "level": finding.level.name(),
        "message": finding.message,
        "file": finding.place.as_ref().map(|place| &place.file),
        "line": spot.map(|spot| spot.position.line),
        "column": spot.map(|spot| spot.position.column),
        "notes": finding.notes,
        "help": finding.help,
    })
}
