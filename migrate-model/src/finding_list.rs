//! The findings of one file: the first ones, and how many there are more. A file of a few hundred kilobytes can have one in every few
//! bytes, and each takes about a kilobyte.

use crate::code::Code;
use crate::finding::{Finding, Level};
use crate::place::Place;
use std::ops::{Deref, DerefMut};

/// The most findings of a file that are kept.
pub const MAX_FINDINGS: usize = 10_000;

/// A file has more findings than are listed.
pub static TOO_MANY_FINDINGS: Code = Code::new(
    "too-many-findings",
    "The file has more findings than are listed. Of one file, at most 10,000 are listed; of a folder with more than 50,000, at most \
     10 of each further file. Correct the listed ones, then run the same command again.",
);

/// The findings of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingList {
    kept: Vec<Finding>,
    omitted: usize,
    /// The highest level of those that are not kept.
    level: Option<Level>,
}

impl FindingList {
    /// Adds a finding, or counts it.
    pub fn push(&mut self, finding: Finding) {
        if self.kept.len() < MAX_FINDINGS {
            self.kept.push(finding);
        } else {
            self.omit(1, Some(finding.level));
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.kept.len() + self.omitted
    }

    /// Adds those of another list of this file.
    pub fn append(&mut self, other: FindingList) {
        self.extend(other.kept);
        self.omit(other.omitted, other.level);
    }

    /// Keeps at most so many.
    pub fn truncate(&mut self, limit: usize) {
        let level = self.kept.iter().skip(limit).map(|finding| finding.level).max();
        let omitted = self.kept.len().saturating_sub(limit);
        self.kept.truncate(limit);
        self.kept.shrink_to_fit();
        self.omit(omitted, level);
    }

    fn omit(&mut self, count: usize, level: Option<Level>) {
        self.omitted += count;
        self.level = self.level.max(level);
    }

    /// The findings, with one about those that are not kept.
    pub fn into_vec(self, file: &str) -> Vec<Finding> {
        let mut findings = self.kept;
        if let Some(level) = self.level {
            let message =
                format!("`{}` has {} more findings, which are not listed", file.rsplit('/').next().unwrap_or(file), self.omitted);
            let finding = Finding::error(&TOO_MANY_FINDINGS, message).at(Place::file(file));
            findings.push(Finding { level, ..finding }.help("correct the listed ones, then run the same command again"));
        }
        findings
    }
}

impl Extend<Finding> for FindingList {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}

impl FromIterator<Finding> for FindingList {
    fn from_iter<I: IntoIterator<Item = Finding>>(findings: I) -> Self {
        let mut list = FindingList::default();
        list.extend(findings);
        list
    }
}

impl Deref for FindingList {
    type Target = [Finding];

    fn deref(&self) -> &[Finding] {
        &self.kept
    }
}

impl DerefMut for FindingList {
    fn deref_mut(&mut self) -> &mut [Finding] {
        &mut self.kept
    }
}

impl<const N: usize> PartialEq<[Finding; N]> for FindingList {
    fn eq(&self, other: &[Finding; N]) -> bool {
        self.omitted == 0 && self.kept == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::script::Script;

    static CODE: Code = Code::new("code", "");

    #[test]
    fn the_first_are_kept_and_the_others_are_counted() {
        let warning = || Finding::warning(&CODE, "a warning");
        let mut list: FindingList = std::iter::repeat_with(warning).take(MAX_FINDINGS).collect();
        assert_eq!(list.clone().into_vec("a/b.sql").len(), MAX_FINDINGS);
        list.extend([warning(), warning()]);
        let mut other: FindingList = [warning(), Finding::error(&CODE, "an error")].into_iter().collect();
        other.truncate(1);
        list.append(other);
        assert_eq!(list.count(), MAX_FINDINGS + 4);
        let all = list.into_vec("a/b.sql");
        let last = all.last().unwrap();
        assert_eq!(all.len(), MAX_FINDINGS + 1);
        assert_eq!((last.code, last.level), (&TOO_MANY_FINDINGS, Level::Error));
        assert_eq!(last.message, "`b.sql` has 4 more findings, which are not listed");
    }

    /// Every kind of problem that a few bytes can repeat.
    #[test]
    fn a_file_has_a_limit() {
        let count = 3 * MAX_FINDINGS;
        for (text, dialect) in [
            ("\\q\n".repeat(count), Dialect::Postgres),
            ("COMMIT;".repeat(count), Dialect::Postgres),
            (format!("BEGIN;{}COMMIT;", "VACUUM;".repeat(count)), Dialect::Postgres),
            ("-- migrate: x\n".repeat(count) + "SELECT 1;", Dialect::MySql),
            ("SET NAMES latin1;".repeat(count), Dialect::Postgres),
            ("SET default_transaction_read_only = on;".repeat(count), Dialect::Postgres),
            ("PRAGMA query_only = 1;".repeat(count), Dialect::Sqlite),
        ] {
            let (_, findings) = Script::read(text.clone(), "a.sql", dialect);
            assert!(findings.len() <= MAX_FINDINGS + 1, "{}: {}", &text[..20], findings.len());
            assert_eq!(findings.last().map(|finding| finding.code), Some(&TOO_MANY_FINDINGS), "{}", &text[..20]);
        }
    }
}
