//! The SQL of one direction of a migration: its text, its checksums, its statements and how they run.

use crate::checksum::Checksum;
use crate::client_command;
use crate::client_encoding;
use crate::code::Code;
use crate::dialect::Dialect;
use crate::directives::{self, Directives};
use crate::execution::{self, TransactionMode, Unit};
use crate::finding::Finding;
use crate::place::{Place, SourceText};
use crate::read_only;
use crate::statement::{self, Reading, SplitText, Statement};
use crate::token::{Deviation, Kind, Tokens};
use std::borrow::Cow;

/// A file without a statement.
pub static EMPTY_FILE: Code = Code::new(
    "empty-file",
    "The file contains no statement. If it were applied now, SQL that is added to it later would never run. Write the SQL, \
     remove the file, or write `SELECT 1;` if the migration intentionally does nothing.",
);

/// One migration file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Script {
    /// The path relative to the package, with `/` as separator.
    pub file: Cow<'static, str>,
    /// The text of the file, without a byte order mark.
    pub text: Cow<'static, str>,
    /// The checksum of the bytes; see [`Checksum::of_file`].
    pub checksum: Checksum,
    /// The checksum of the SQL and the directives.
    pub sql_checksum: Checksum,
    /// The directives in its comments.
    pub directives: Directives,
    /// The statements, in order.
    pub statements: Vec<Statement>,
    /// How the statements are grouped into transactions.
    pub units: Vec<Unit>,
}

impl Script {
    /// Parses a text; also returns the problems in it.
    pub fn read<'r>(text: String, file: &str, reading: impl Into<Reading<'r>>) -> (Script, Vec<Finding>) {
        let reading = reading.into();
        let dialect = reading.dialect;
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        let SplitText { statements, deviations, findings: problems } = statement::split_text(&text, reading, file);
        let source = SourceText::new(file, &text);
        let (directives, mut findings) = directives::read_tokens(&source, Tokens::new(&text, dialect).following(&deviations));
        findings.append(problems);
        let (units, problems) = execution::units(&source, &statements, dialect, directives.no_transaction);
        findings.append(problems);
        findings.append(client_encoding::problems(&source, &statements, dialect));
        findings.append(read_only::problems(&source, &statements, dialect));
        findings.extend(client_command::notifications(&source, &statements, dialect));
        let script = Script {
            file: Cow::Owned(file.to_owned()),
            checksum: Checksum::of_file(text.as_bytes()),
            sql_checksum: sql_checksum(&text, dialect, &deviations),
            text: Cow::Owned(text),
            directives,
            statements,
            units,
        };
        (script, findings.into_vec(file))
    }

    /// A finding for a script that contains no statement.
    pub fn without_statements(&self) -> Option<Finding> {
        self.statements.is_empty().then(|| {
            Finding::error(&EMPTY_FILE, format!("`{}` contains no statement", self.file_name()))
                .at(Place::file(&*self.file))
                .help("write the SQL, remove the file, or write `SELECT 1;` if it intentionally does nothing")
        })
    }

    /// The transaction mode of the whole script.
    pub fn transaction_mode(&self) -> TransactionMode {
        execution::transaction_mode(&self.text, &self.statements, &self.units)
    }

    /// The file name without folders.
    pub fn file_name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }

    /// The place of a statement; of the file if there is no such statement.
    pub fn place(&self, statement: usize) -> Place {
        match self.statements.get(statement) {
            Some(statement) => Place::range(&*self.file, &self.text, statement.range.clone()),
            None => Place::file(&*self.file),
        }
    }
}

/// The checksum that a cosmetic edit does not change: over the tokens, without comments and white space, but with directives
/// and with `/*! */` and `/*+ */`, which the database interprets.
fn sql_checksum(text: &str, dialect: Dialect, deviations: &[Deviation]) -> Checksum {
    // The rows of `COPY` are not SQL: they are one token, and count byte by byte.
    let tokens = Tokens::new(text, dialect).following(deviations);
    let counted = tokens.filter(|token| match token.kind {
        Kind::Space => false,
        Kind::Comment => {
            let body = token.text(text).trim_start_matches('-').trim();
            let head = body.get(.."migrate:".len());
            head.is_some_and(|head| head.eq_ignore_ascii_case("migrate:")) || body.eq_ignore_ascii_case("no-transaction")
        }
        _ => true,
    });
    Checksum::of_pieces(counted.map(|token| match token.kind {
        Kind::Comment => token.text(text).trim_end(),
        _ => token.text(text),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mysql_checksum(text: &str) -> Checksum {
        sql_checksum(text, Dialect::MySql, &[])
    }

    #[test]
    fn rows_of_copy_count_as_they_are() {
        let checksum = |row: &str| {
            let text = format!("COPY t FROM stdin;\n{row}\n\\.\nSELECT 1;\n");
            Script::read(text, "f.sql", Dialect::Postgres).0.sql_checksum
        };
        assert_ne!(checksum("a b"), checksum("a  b"));
        assert_ne!(checksum("-- a"), checksum("-- b"));
        assert_eq!(checksum("it's"), checksum("it's"));
    }

    #[test]
    fn cosmetic_edits_leave_the_sql_sum() {
        let plain = mysql_checksum("CREATE TABLE t (a int);");
        assert_eq!(mysql_checksum("-- licence\nCREATE  TABLE t\n(a int) ; -- end\r\n"), plain);
        for changed in [
            "CREATE TABLE t (a  bigint);",
            "-- migrate: no-transaction\nCREATE TABLE t (a int);",
            "-- no-transaction\nCREATE TABLE t (a int);",
            "CREATE TABLE t /*! x */ (a int);",
            "CREATE TABLE t /*+ x */ (a int);",
            "CREATE TABLE t (aint);",
            "create table t (a int);",
        ] {
            assert_ne!(mysql_checksum(changed), plain, "{changed}");
        }
        assert_ne!(mysql_checksum("SELECT 'a b'"), mysql_checksum("SELECT 'a  b'"));
    }

    #[test]
    fn a_bom_is_no_sql() {
        let (script, findings) = Script::read("\u{feff}-- no-transaction\nSELECT 1;".to_owned(), "a/f.sql", Dialect::Postgres);
        assert_eq!(findings, []);
        assert!(script.directives.no_transaction);
        assert_eq!(script.file_name(), "f.sql");
        assert_eq!(script.place(0).label(), "a/f.sql:2:1");
    }
}
