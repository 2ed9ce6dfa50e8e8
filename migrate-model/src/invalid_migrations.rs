//! The error of a migration set that cannot be created, because its files are invalid.

use crate::finding::Finding;
use crate::plural::and_more;
use std::error::Error;
use std::fmt;

/// Migrations that were rejected before a database was involved: the problems that `embed_migrations!` reports as compile errors.
///
/// `Display` is one line, about the first error. [`report`](Self::report) shows all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMigrations {
    findings: Vec<Finding>,
}

impl InvalidMigrations {
    /// An error if any of these findings is one, with the errors first.
    ///
    /// # Errors
    /// If any finding is an error.
    pub fn check(findings: Vec<Finding>) -> Result<Vec<Finding>, InvalidMigrations> {
        if findings.iter().any(Finding::is_error) { Err(InvalidMigrations::of(findings)) } else { Ok(findings) }
    }

    /// An error of these findings, of which at least one is an error.
    pub(crate) fn of(mut findings: Vec<Finding>) -> InvalidMigrations {
        findings.sort_by_key(|finding| !finding.is_error());
        InvalidMigrations { findings }
    }

    /// All problems, errors first; the first is an error.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// All problems in full, each with its place, the line of SQL and what to do.
    pub fn report(&self) -> String {
        let texts = self.findings.iter().map(|finding| format!("{}[{}]: {finding}", finding.level.name(), finding.code));
        texts.collect::<Vec<_>>().join("\n\n")
    }
}

impl fmt::Display for InvalidMigrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut errors = self.findings.iter().filter(|finding| finding.is_error());
        let Some(first) = errors.next() else { return f.write_str("the migrations are invalid") };
        write!(f, "{}{}", first.one_line(), and_more(errors.count(), "error"))
    }
}

impl Error for InvalidMigrations {}
