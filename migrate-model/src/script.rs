//! The SQL of one direction of one migration: its text, its sums, its statements and how they run.

use crate::checksum::Checksum;
use crate::dialect::Dialect;
use crate::directives::{self, Directives};
use crate::execution::{self, TransactionMode, Unit};
use crate::finding::Finding;
use crate::place::Place;
use crate::statement::{self, Statement};
use crate::token::{Kind, Token, Tokens};
use std::borrow::Cow;

/// One file, or what of it runs in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file, relative to the package, with `/` between folders.
    pub file: Cow<'static, str>,
    /// The SQL as it is in the file, without a BOM.
    pub text: Cow<'static, str>,
    /// Over the bytes; see [`Checksum::of_file`].
    pub checksum: Checksum,
    /// Over what the database reads and the directives; see [`sql_checksum`].
    pub sql_checksum: Checksum,
    /// What it says about itself.
    pub directives: Directives,
    /// Its statements, in order.
    pub statements: Vec<Statement>,
    /// How they run.
    pub units: Vec<Unit>,
}

impl Script {
    /// Reads a text; also answers with what is wrong in it.
    pub fn read(text: String, file: &str, dialect: Dialect) -> (Script, Vec<Finding>) {
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        let (directives, mut findings) = directives::read(&text, dialect, file);
        let (statements, problems) = statement::split(&text, dialect, file);
        findings.extend(problems);
        let (units, problems) = execution::units(&text, &statements, dialect, directives.no_transaction, file);
        findings.extend(problems);
        let script = Script {
            file: Cow::Owned(file.to_owned()),
            checksum: Checksum::of_file(text.as_bytes()),
            sql_checksum: sql_checksum(&text, dialect, &statements),
            text: Cow::Owned(text),
            directives,
            statements,
            units,
        };
        (script, findings)
    }

    /// How it runs as a whole.
    pub fn transaction_mode(&self) -> TransactionMode {
        execution::transaction_mode(&self.units)
    }

    /// The file name without its folders.
    pub fn file_name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }

    /// Where a statement stands.
    pub fn place(&self, statement: usize) -> Place {
        match self.statements.get(statement) {
            Some(statement) => Place::range(&*self.file, &self.text, statement.range.clone()),
            None => Place::file(&*self.file),
        }
    }
}

/// The sum that a cosmetic edit leaves as it is: over the tokens, without comments and white space, but with directives and
/// with `/*! */` and `/*+ */`, which the database obeys.
pub fn sql_checksum(text: &str, dialect: Dialect, statements: &[Statement]) -> Checksum {
    let mut copied = statements.iter().filter_map(|statement| statement.copy_data.clone()).peekable();
    let mut tokens = Tokens::new(text, dialect);
    // Rows of `COPY` are no SQL: they count byte for byte.
    let pieces = std::iter::from_fn(|| match copied.next_if(|data| tokens.offset() >= data.start) {
        Some(data) => {
            tokens.jump(data.end.max(tokens.offset()));
            Some(Token { kind: Kind::Text, start: data.start, end: data.end, closed: true })
        }
        None => tokens.next(),
    });
    let counted = pieces.filter(|token| match token.kind {
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

    fn sum(text: &str) -> Checksum {
        sql_checksum(text, Dialect::MySql, &[])
    }

    #[test]
    fn rows_of_copy_count_as_they_are() {
        let sum = |row: &str| {
            let text = format!("COPY t FROM stdin;\n{row}\n\\.\nSELECT 1;\n");
            Script::read(text, "f.sql", Dialect::Postgres).0.sql_checksum
        };
        assert_ne!(sum("a b"), sum("a  b"));
        assert_ne!(sum("-- a"), sum("-- b"));
        assert_eq!(sum("it's"), sum("it's"));
    }

    #[test]
    fn cosmetic_edits_leave_the_sql_sum() {
        let plain = sum("CREATE TABLE t (a int);");
        assert_eq!(sum("-- licence\nCREATE  TABLE t\n(a int) ; -- end\r\n"), plain);
        for changed in [
            "CREATE TABLE t (a  bigint);",
            "-- migrate: no-transaction\nCREATE TABLE t (a int);",
            "-- no-transaction\nCREATE TABLE t (a int);",
            "CREATE TABLE t /*! x */ (a int);",
            "CREATE TABLE t /*+ x */ (a int);",
            "CREATE TABLE t (aint);",
            "create table t (a int);",
        ] {
            assert_ne!(sum(changed), plain, "{changed}");
        }
        assert_ne!(sum("SELECT 'a b'"), sum("SELECT 'a  b'"));
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
