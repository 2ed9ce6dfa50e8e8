//! Splits SQL text into statements, each with its place.
//!
//! The result equals that of the client of the database: the statements that `psql`, `mariadb` and `sqlite3` would send one by
//! one. What `mariadb` sends as one message of several statements (between two delimiters of `DELIMITER`) is split as its server
//! does it. The text is not changed; a statement is a range of its bytes.

use crate::client_command::{self, ClientLine};
use crate::code::Code;
use crate::compound::{self, Compound};
use crate::dialect::Dialect;
use crate::finding::Finding;
use crate::finding_list::FindingList;
use crate::place::{Place, SourceText};
use crate::quoting::SessionQuoting;
use crate::session_effect::catalog::TriggerCatalog;
use crate::token::{Deviation, Kind, Quoting, Token, Tokens, nests_executable_comments};
use std::ops::Range;
use std::sync::LazyLock;

/// One statement: bytes `range` of the text, without the delimiter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// From the first token that is not blank to the last.
    pub range: Range<usize>,
    /// Line of the first token, counted from 1.
    pub line: usize,
    /// The rows after a `COPY ... FROM stdin`, without the closing `\.`.
    pub copy_data: Option<Range<usize>>,
}

impl Statement {
    /// The SQL of the statement.
    pub fn sql<'a>(&self, text: &'a str) -> &'a str {
        &text[self.range.clone()]
    }
}

/// A string, comment or quoted name without its end.
pub static UNTERMINATED: Code = Code::new(
    "unterminated",
    "A string, a quoted name, a comment or a dollar-quoted string is not terminated, so it extends to the end of the file. \
     Add the missing end, such as a closing quotation mark or `*/`.",
);

/// `/*! ... */` in which too many others begin.
pub static NESTED_COMMENT: Code = Code::new(
    "nested-comment",
    "Executable comments (`/*! ... */` or `/*M! ... */`) are nested more than 8 levels deep. MariaDB ends all of them at the first \
     `*/` and rejects the rest. Write the SQL without the inner comments.",
);

/// A setting that decides how strings are read has a value that the text does not determine.
pub static UNKNOWN_QUOTING: Code = Code::new(
    "unknown-quoting",
    "`sql_mode` of MySQL (`NO_BACKSLASH_ESCAPES`, `ANSI_QUOTES`) and `standard_conforming_strings` of PostgreSQL decide whether a backslash in a string is an escape character, and therefore where the string ends. In this file, the value of the setting depends on the database, and with different values the rest of the file would be split into different statements. Set a literal value (`SET sql_mode = '...'`), \
     or write strings that neither end with a backslash nor contain `\\'`.",
);

static NO_TRIGGERS: LazyLock<TriggerCatalog> = LazyLock::new(TriggerCatalog::default);

/// How a text is read: in which dialect, and in which session.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Reading<'a> {
    pub dialect: Dialect,
    /// The `session` statements of `migrate.toml`, which run before the text.
    pub session: &'a [String],
    /// How a new session of the server reads quotes.
    pub server: Quoting,
    /// The triggers of the database, where they were asked for.
    pub catalog: &'a TriggerCatalog,
}

impl<'a> Reading<'a> {
    /// A text that runs after these `session` statements, on a server with its default settings.
    pub fn after(session: &'a [String], dialect: Dialect) -> Self {
        Reading { dialect, session, server: Quoting::of(dialect), catalog: &NO_TRIGGERS }
    }

    /// The same, on a server whose sessions read quotes in another way.
    #[must_use]
    pub fn on_server(mut self, server: Quoting) -> Self {
        self.server = server;
        self
    }

    /// The same, on a database with these triggers.
    #[must_use]
    pub fn with_triggers<'b>(self, catalog: &'b TriggerCatalog) -> Reading<'b>
    where
        'a: 'b,
    {
        Reading { catalog, ..self }
    }

    /// The quoting of the session before the first statement.
    fn session_quoting(&self) -> SessionQuoting {
        let mut quoting = SessionQuoting::new(self.dialect, self.server);
        for sql in self.session {
            let tokens = Tokens::new(sql, self.dialect).quoting(quoting.quoting());
            let tokens: Vec<Token> = tokens.filter(|token| !token.is_blank()).collect();
            tokens.split(|token| token.is_symbol(sql, b';')).for_each(|statement| quoting.follow(sql, statement));
        }
        quoting
    }
}

impl From<Dialect> for Reading<'static> {
    fn from(dialect: Dialect) -> Self {
        Reading::after(&[], dialect)
    }
}

/// A text as statements.
#[derive(Debug, Clone)]
pub struct SplitText {
    pub statements: Vec<Statement>,
    /// Where the text differs from the plain tokens of its dialect, in order.
    pub deviations: Vec<Deviation>,
    /// The problems that prevent its execution.
    pub findings: FindingList,
}

/// Splits a text into statements; also returns the problems that prevent its execution.
pub fn split<'r>(text: &str, reading: impl Into<Reading<'r>>, file: &str) -> (Vec<Statement>, FindingList) {
    let split = split_text(text, reading.into(), file);
    (split.statements, split.findings)
}

/// Splits a text into statements, with everything that is known about its tokens.
pub fn split_text(text: &str, reading: Reading<'_>, file: &str) -> SplitText {
    let session = reading.session_quoting();
    let (mut split, unknown) = Splitter::new(text, reading.dialect, file, session.clone()).run();
    hint_at_quoting(&mut split, text, reading.dialect);
    let Some(unknown) = unknown.filter(|unknown| text[unknown.end..].contains('\\')) else { return split };
    // The value is unknown. That matters only if the rest of the text is split differently.
    let matters = alternatives(reading.dialect).any(|assumed| {
        let mut session = session.clone();
        session.assume(assumed);
        let (other, _) = Splitter::new(text, reading.dialect, file, session).run();
        other.statements != split.statements || other.findings.count() != split.findings.count()
    });
    if matters {
        split.findings = FindingList::from_iter([unknown_quoting(text, file, reading.dialect, unknown)]);
    }
    split
}

/// Do the statements of a text differ between two ways to read it?
pub fn splits_differently(text: &str, reading: Reading<'_>, other: Reading<'_>) -> bool {
    text.contains('\\') && split_text(text, reading, "").statements != split_text(text, other, "").statements
}

/// The ways in which a session of the server can read quotes, other than the default.
fn alternatives(dialect: Dialect) -> impl Iterator<Item = Quoting> {
    let all = [Quoting::Standard, Quoting::Backslashes, Quoting::AnsiQuotes, Quoting::AnsiQuotesAndBackslashes];
    let known = if dialect == Dialect::MySql { 4 } else { 2 };
    all.into_iter().take(known).filter(move |quoting| *quoting != Quoting::of(dialect))
}

/// Adds to an unterminated string that the file ends correctly if backslashes in strings mean something else.
fn hint_at_quoting(split: &mut SplitText, text: &str, dialect: Dialect) {
    let is_unterminated = |finding: &Finding| finding.code == &UNTERMINATED;
    let Some(at) = split.findings.iter().position(is_unterminated).filter(|_| text.contains('\\')) else { return };
    let ends = |quoting: Quoting| {
        let (other, _) = Splitter::new(text, dialect, "", SessionQuoting::new(dialect, quoting)).run();
        !other.findings.iter().any(is_unterminated)
    };
    let (quoting, help) = match dialect {
        Dialect::Postgres => (
            Quoting::Backslashes,
            "or, if the server runs with `standard_conforming_strings = off`, write in `migrate.toml`: `session = [\"SET \
             standard_conforming_strings = off\"]`",
        ),
        Dialect::MySql => (
            Quoting::Standard,
            "or, if the `sql_mode` of the server contains NO_BACKSLASH_ESCAPES, write in `migrate.toml`: `session = [\"SET \
             sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')\"]`",
        ),
        Dialect::Sqlite => return,
    };
    if ends(quoting) {
        split.findings[at] = split.findings[at].clone().help(help);
    }
}

/// The setting that decides how quotes are read, and how its value is written.
pub fn quoting_setting(dialect: Dialect) -> (&'static str, &'static str) {
    match dialect {
        Dialect::Postgres => ("standard_conforming_strings", "on"),
        _ => ("sql_mode", "'...'"),
    }
}

fn unknown_quoting(text: &str, file: &str, dialect: Dialect, unknown: Range<usize>) -> Finding {
    let (setting, value) = quoting_setting(dialect);
    let message = format!(
        "`{setting}` is set to a value that is not known before the run, and this value decides where the later statements of the file end"
    );
    let place = if unknown.is_empty() { Place::file(file) } else { Place::range(file, text, unknown) };
    Finding::error(&UNKNOWN_QUOTING, message).at(place).help(format!("set a literal value: `SET {setting} = {value}`"))
}

struct Splitter<'a> {
    text: &'a str,
    source: SourceText<'a>,
    dialect: Dialect,
    tokens: Tokens<'a>,
    split: SplitText,
    delimiter: String,
    /// The number of statements before the current message of the client.
    message_start: usize,
    /// The byte up to which line ends were counted, and the line of this byte.
    counted: (usize, usize),
    /// The tokens of the current statement, without white space and comments.
    open: Vec<Token>,
    body: Body,
    /// `None` if no statement of the text can change how quotes are read.
    session: Option<SessionQuoting>,
    /// The first statement after which it is unknown how quotes are read.
    unknown: Option<Range<usize>>,
}

impl<'a> Splitter<'a> {
    fn new(text: &'a str, dialect: Dialect, file: &'a str, session: SessionQuoting) -> Self {
        let quoting = session.quoting();
        let mut deviations = Vec::new();
        if quoting != Quoting::of(dialect) {
            deviations.push(Deviation::Quoting(0, quoting));
        }
        Splitter {
            text,
            source: SourceText::new(file, text),
            dialect,
            tokens: Tokens::new(text, dialect).quoting(quoting),
            split: SplitText { statements: Vec::new(), deviations, findings: FindingList::default() },
            delimiter: ";".to_owned(),
            message_start: 0,
            counted: (0, 1),
            open: Vec::new(),
            body: Body::new(dialect),
            unknown: (!session.is_known()).then_some(0..0),
            session: Some(session).filter(|session| session.concerns(text)),
        }
    }

    fn run(mut self) -> (SplitText, Option<Range<usize>>) {
        while let Some(token) = self.tokens.next() {
            if self.delimiter != ";"
                && let Some(at) = self.delimiter_in(token)
            {
                self.end_message(token, at);
                continue;
            }
            if !token.closed {
                self.unterminated(token);
            }
            if nests_executable_comments(self.text, token, self.dialect) {
                let finding = Finding::error(&NESTED_COMMENT, "executable comments are nested too deep");
                let place = self.source.place(token.start..token.end);
                self.split.findings.push(finding.at(place).help("write the SQL without the inner comments"));
            }
            // A hint, or a banner that begins with `/*+`, is part of a statement only if it is inside the statement.
            if token.is_blank() || (token.kind == Kind::Hint && self.open.is_empty()) {
                continue;
            }
            if self.client_line(token) {
                continue;
            }
            if token.is_symbol(self.text, b';') && !self.body.is_open() {
                self.close();
                if self.delimiter == ";" {
                    self.message_start = self.split.statements.len();
                }
                continue;
            }
            self.body.read(self.text, &self.open, token);
            self.open.push(token);
        }
        self.close();
        (self.split, self.unknown)
    }

    /// The offset of the delimiter of `DELIMITER`, if it begins in this token, where the client looks for it: everywhere outside
    /// strings and comments. `END$$` is one word for the MySQL server, and `#` begins a comment, but not for its client.
    fn delimiter_in(&self, token: Token) -> Option<usize> {
        match token.kind {
            Kind::Word | Kind::Number => token.text(self.text).find(&self.delimiter).map(|at| token.start + at),
            _ => self.text[token.start..].starts_with(&self.delimiter).then_some(token.start),
        }
    }

    /// Ends the statement and the message at the delimiter, which begins at `at` in this token.
    fn end_message(&mut self, token: Token, at: usize) {
        let before = Token { end: at, ..token };
        if before.start < before.end {
            self.body.read(self.text, &self.open, before);
            self.open.push(before);
        }
        let end = at + self.delimiter.len();
        if !matches!(token.kind, Kind::Word | Kind::Number | Kind::Symbol) {
            self.deviate(Kind::Symbol, at..end);
        }
        self.tokens.jump(end);
        self.close();
        self.message_start = self.split.statements.len();
    }

    /// Records that these bytes are one token.
    fn deviate(&mut self, kind: Kind, range: Range<usize>) {
        let token = Token { kind, start: range.start, end: range.end, closed: true };
        self.split.deviations.push(Deviation::Token(token));
    }

    /// Processes a line or a command of the client that begins with this token; false if the token is SQL.
    fn client_line(&mut self, token: Token) -> bool {
        let is_open = !self.open.is_empty();
        let in_message = is_open || self.split.statements.len() > self.message_start;
        let line = client_command::read(self.text, self.dialect, token, is_open, in_message, self.body.is_open());
        // Most tokens are SQL, and a line may be long.
        if line == ClientLine::Sql {
            return false;
        }
        let line_end = self.text[token.start..].find('\n').map_or(self.text.len(), |at| token.start + at);
        match line {
            ClientLine::Sql => return false,
            ClientLine::Delimiter(delimiter) => {
                if let Some(delimiter) = delimiter {
                    delimiter.clone_into(&mut self.delimiter);
                }
                self.tokens.jump(line_end);
                self.message_start = self.split.statements.len();
            }
            ClientLine::Comment => {
                self.deviate(Kind::Comment, token.start..line_end);
                self.tokens.jump(line_end);
            }
            ClientLine::Terminator => self.close(),
            ClientLine::Statement if self.text[token.end..line_end].contains(&self.delimiter) => return false,
            ClientLine::Statement => self.line_statement(token, line_end),
            ClientLine::Refused(code) => {
                let command = self.text[token.start..line_end].trim_end();
                let place = self.source.place(token.start..token.start + command.len());
                self.split.findings.push(client_command::refused(code, command, self.dialect).at(place));
                self.deviate(Kind::Comment, token.start..line_end);
                self.tokens.jump(line_end);
                self.close();
            }
        }
        true
    }

    /// A statement that the end of the line ends: `USE name`.
    fn line_statement(&mut self, first: Token, line_end: usize) {
        self.open.push(first);
        while self.tokens.offset() < line_end
            && let Some(token) = self.tokens.next()
        {
            if !token.is_blank() {
                self.open.push(token);
            }
        }
        self.close();
    }

    fn unterminated(&mut self, token: Token) {
        let what = match token.kind {
            Kind::Text => "string",
            Kind::QuotedName => "quoted name",
            Kind::DollarText => "dollar-quoted string",
            _ => "comment",
        };
        // In SQLite, the end of the text also ends a comment.
        if self.dialect == Dialect::Sqlite && token.kind == Kind::Comment {
            return;
        }
        let place = self.source.place(token.start..token.end);
        self.split
            .findings
            .push(Finding::error(&UNTERMINATED, format!("unterminated {what}")).at(place).help(format!("close the {what}")));
    }

    /// Ends the current statement, if there is one.
    fn close(&mut self) {
        self.body = Body::new(self.dialect);
        let (Some(first), Some(last)) = (self.open.first().copied(), self.open.last().copied()) else {
            return;
        };
        let range = first.start..last.end;
        let since = self.text.as_bytes()[self.counted.0..first.start].iter();
        let line_break = self.source.line_break();
        let line_breaks = since.filter(|byte| **byte == line_break).count();
        self.counted = (first.start, self.counted.1 + line_breaks);
        self.follow_settings(range.clone());
        let finding = client_command::refused_statement(self.text, self.dialect, &self.open);
        let place = || self.source.place(range.clone());
        self.split.findings.extend(finding.map(|finding| finding.at(place())));
        let copies = client_command::copies(self.text, self.dialect, &self.open, "FROM", "STDIN");
        let copy_data = copies.then(|| self.copy_data());
        match self.statement_of_rest(first) {
            Some(statement) => statement.range.end = last.end,
            None => self.split.statements.push(Statement { range, line: self.counted.1, copy_data }),
        }
        self.open.clear();
    }

    /// The statement before the current one, if that is the rest of its body: a body of MySQL that was not understood.
    fn statement_of_rest(&mut self, first: Token) -> Option<&mut Statement> {
        let is_rest = self.dialect == Dialect::MySql && compound::continues_body(self.text, first);
        let statement = self.split.statements.last_mut().filter(|_| is_rest)?;
        let begins = &self.text[statement.range.clone()];
        let bodies = ["CREATE", "ALTER", "BEGIN", "DECLARE"];
        let has_body = bodies.iter().any(|word| begins.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)));
        has_body.then_some(statement)
    }

    /// Follows the settings that change how quotes are read.
    fn follow_settings(&mut self, statement: Range<usize>) {
        let Some(session) = &mut self.session else { return };
        let before = session.quoting();
        session.follow(self.text, &self.open);
        if !session.is_known() && self.unknown.is_none() {
            self.unknown = Some(statement);
        }
        let quoting = session.quoting();
        if quoting != before {
            self.tokens.set_quoting(quoting);
            self.split.deviations.push(Deviation::Quoting(self.tokens.offset(), quoting));
        }
    }

    /// The lines after the current one, up to a line that contains only `\.`; continues after this line.
    fn copy_data(&mut self) -> Range<usize> {
        let from = self.tokens.offset();
        let start = self.text[from..].find('\n').map_or(self.text.len(), |at| from + at + 1);
        let rest = &self.text[from..start];
        if let Some(token) = Tokens::new(rest, self.dialect).find(|token| !token.is_blank() || !token.closed) {
            let place = self.source.place(from + token.start..from + rest.trim_end().len());
            self.split.findings.push(client_command::sql_after_copy().at(place));
        }
        let mut line = start;
        let mut next = self.text.len();
        while line < self.text.len() {
            let end = self.text[line..].find('\n').map_or(self.text.len(), |at| line + at + 1);
            if self.text[line..end].trim_end() == "\\." {
                next = end;
                break;
            }
            line = end;
        }
        self.tokens.jump(next);
        self.deviate(Kind::Text, start..line);
        start..line
    }
}

/// The nesting of the current token in a body whose semicolons do not end the statement.
enum Body {
    Postgres(AtomicBody),
    MySql(Compound),
    Sqlite(TriggerBody),
}

impl Body {
    fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Postgres => Body::Postgres(AtomicBody::default()),
            Dialect::MySql => Body::MySql(Compound::default()),
            Dialect::Sqlite => Body::Sqlite(TriggerBody::default()),
        }
    }

    fn is_open(&self) -> bool {
        match self {
            Body::Postgres(body) => body.depth > 0,
            Body::MySql(body) => body.is_open(),
            Body::Sqlite(body) => *body == TriggerBody::Inside,
        }
    }

    fn read(&mut self, sql: &str, before: &[Token], token: Token) {
        match self {
            Body::Postgres(body) => body.read(sql, before, token),
            Body::MySql(body) => body.read(sql, token),
            Body::Sqlite(body) => body.read(sql, before, token),
        }
    }
}

/// PostgreSQL: `CREATE FUNCTION ... BEGIN ATOMIC ...; END`, and `CREATE RULE ... DO (a; b)`: psql also counts parentheses.
#[derive(Default)]
struct AtomicBody {
    depth: usize,
    routine: bool,
    parentheses: usize,
}

impl AtomicBody {
    fn read(&mut self, sql: &str, before: &[Token], token: Token) {
        match token.kind {
            Kind::Symbol if token.is_symbol(sql, b'(') => self.parentheses += 1,
            Kind::Symbol if token.is_symbol(sql, b')') => self.parentheses = self.parentheses.saturating_sub(1),
            Kind::Word => {
                let after_begin = before.last().is_some_and(|last| last.is_word(sql, "BEGIN"));
                if token.is_word(sql, "ATOMIC") && after_begin && creates(sql, before, &["FUNCTION", "PROCEDURE"]) {
                    self.routine = true;
                    self.depth = 1;
                    return;
                }
                if self.routine && token.is_word(sql, "CASE") {
                    self.depth += 1;
                } else if self.routine && token.is_word(sql, "END") {
                    self.depth = self.depth.saturating_sub(1);
                }
            }
            _ => {}
        }
        if !self.routine {
            self.depth = self.parentheses;
        }
    }
}

/// SQLite: a trigger ends at `; END ;`, as in `sqlite3_complete()`.
#[derive(Default, PartialEq, Eq)]
enum TriggerBody {
    #[default]
    None,
    /// After `CREATE TRIGGER`.
    Header,
    /// After `BEGIN`.
    Inside,
}

impl TriggerBody {
    fn read(&mut self, sql: &str, before: &[Token], token: Token) {
        let explained = usize::from(before.first().is_some_and(|first| first.is_word(sql, "EXPLAIN")));
        let explained = if before.get(1).is_some_and(|word| word.is_word(sql, "QUERY")) { explained * 3 } else { explained };
        let before = before.get(explained..).unwrap_or_default();
        match self {
            TriggerBody::None if token.is_word(sql, "TRIGGER") && creates(sql, before, &[]) && before.len() <= 2 => {
                *self = TriggerBody::Header;
            }
            TriggerBody::Header if token.is_word(sql, "BEGIN") => *self = TriggerBody::Inside,
            TriggerBody::Inside if token.is_word(sql, "END") && before.last().is_some_and(|last| last.is_symbol(sql, b';')) => {
                *self = TriggerBody::Header;
            }
            _ => {}
        }
    }
}

/// Does the statement begin with `CREATE`, followed soon by one of `words`, if there are any?
fn creates(sql: &str, before: &[Token], words: &[&str]) -> bool {
    before.first().is_some_and(|first| first.is_word(sql, "CREATE"))
        && (words.is_empty() || before.iter().take(4).any(|token| words.iter().any(|word| token.is_word(sql, word))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_command::{CLIENT_COMMAND, LOAD_DATA_LOCAL, PSQL_COMMAND, SQL_AFTER_COPY, STATEMENT_BREAKPOINT};
    use proptest::prelude::*;

    fn statements(dialect: Dialect, text: &str) -> Vec<&str> {
        let (statements, findings) = split(text, dialect, "f.sql");
        assert_eq!(findings, [], "{text}");
        statements.iter().map(|statement| statement.sql(text)).collect()
    }

    #[test]
    fn executable_comments_nested_too_deep_are_rejected() {
        let codes =
            |text: &str| -> Vec<&str> { split(text, Dialect::MySql, "f").1.iter().map(|finding| finding.code.name).collect() };
        for marker in ["/*! ", "/*!40101 ", "/*M! "] {
            assert_eq!(codes(&format!("{}SELECT 1 */ */;", marker.repeat(20_000))), ["nested-comment"]);
            assert_eq!(codes(&format!("{}SELECT 1;", marker.repeat(20_000))), ["unterminated", "nested-comment"]);
        }
        assert_eq!(codes("/*! SELECT /*! 1 */ */;"), [""; 0]);
        assert_eq!(codes(&format!("/*! SELECT {} 2 */;", "/*! 1 */ +".repeat(100))), [""; 0]);
    }

    #[test]
    fn plain_statements_with_their_lines() {
        let text = "-- head\n;;\nSELECT 1 ; /* between */\n\n  SELECT\n2;\nSELECT 3";
        let (all, _) = split(text, Dialect::Postgres, "f.sql");
        let lines: Vec<_> = all.iter().map(|statement| (statement.line, statement.sql(text))).collect();
        assert_eq!(lines, [(3, "SELECT 1"), (5, "SELECT\n2"), (7, "SELECT 3")]);
    }

    #[test]
    fn an_unterminated_string_may_be_a_matter_of_quoting() {
        for (dialect, text, is_hinted) in [
            (Dialect::MySql, "INSERT INTO t VALUES ('C:\\');", true),
            (Dialect::MySql, "INSERT INTO t VALUES ('C:\\", false),
            (Dialect::MySql, "INSERT INTO t VALUES ('C:;", false),
            (Dialect::Postgres, "INSERT INTO t VALUES ('it\\'s');", true),
        ] {
            let (_, findings) = split(text, dialect, "f.sql");
            assert_eq!(findings[0].code, &UNTERMINATED, "{text}");
            assert_eq!(findings[0].help.iter().any(|help| help.contains("migrate.toml")), is_hinted, "{text}");
        }
    }

    #[test]
    fn nothing_in_blank_text() {
        for text in ["", "\n \n", "-- only a comment", "/* one */ -- two\n;"] {
            for dialect in Dialect::ALL {
                assert!(statements(dialect, text).is_empty(), "{text}");
            }
        }
    }

    #[test]
    fn bodies_of_postgres() {
        for sql in [
            "DO $$ BEGIN PERFORM 1; COMMIT; END $$",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
            "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); END",
            "CREATE RULE r AS ON INSERT TO t DO INSTEAD (INSERT INTO a VALUES (1); INSERT INTO b VALUES (2))",
            "SELECT $fn$ ; $x$ ; $fn$, E'\\';', U&'\\003b;', /* ; /* ; */ ; */ \"a;b\"",
        ] {
            assert_eq!(statements(Dialect::Postgres, &format!("{sql};\nSELECT 1;")), [sql, "SELECT 1"]);
        }
    }

    #[test]
    fn a_transaction_is_three_statements() {
        for dialect in Dialect::ALL {
            assert_eq!(statements(dialect, "BEGIN; SELECT 1; COMMIT;"), ["BEGIN", "SELECT 1", "COMMIT"]);
        }
    }

    #[test]
    fn strings_follow_the_setting() {
        let text = "SET standard_conforming_strings = off; SELECT 'a\\';b'; SET standard_conforming_strings TO on; SELECT 'c\\';";
        assert_eq!(statements(Dialect::Postgres, text).len(), 4);
        let text = "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'; SELECT 'a\\', \"b\\\"; SET sql_mode = ''; SELECT 'c\\'; d';";
        assert_eq!(statements(Dialect::MySql, text).len(), 4);
    }

    #[test]
    fn strings_follow_sql_mode_in_every_spelling() {
        for set in [
            "SET @old = @@sql_mode, sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')",
            "SET @@SESSION.sql_mode := 'NO_BACKSLASH_ESCAPES'",
            "/*!40101 SET SQL_MODE='NO_BACKSLASH_ESCAPES' */",
            "SET sql_mode=(SELECT CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES'))",
        ] {
            let text = format!("{set};\nINSERT INTO t VALUES ('C:\\');\nINSERT INTO t VALUES ('D;');");
            assert_eq!(statements(Dialect::MySql, &text).len(), 3, "{set}");
        }
        let text = "SET sql_mode = ANSI_QUOTES; SELECT 1 AS \"a\\\"; SELECT 2;";
        assert_eq!(statements(Dialect::MySql, text).len(), 3);
        let session = ["SET sql_mode = 'NO_BACKSLASH_ESCAPES'".to_owned()];
        let text = "INSERT INTO t VALUES ('C:\\');\nINSERT INTO t VALUES ('D;');";
        assert_eq!(split(text, Reading::after(&session, Dialect::MySql), "f.sql").0.len(), 2);
    }

    #[test]
    fn an_unknown_mode_is_refused_where_it_matters() {
        let set = "SET sql_mode = (SELECT mode FROM settings)";
        let text = format!("{set}; INSERT INTO t VALUES ('C:\\'); INSERT INTO t VALUES ('D;');");
        assert_eq!(codes(Dialect::MySql, &text), [&UNKNOWN_QUOTING]);
        let text = format!("{set}; INSERT INTO t VALUES ('C:\\\\'), ('a\\b'); SELECT 1;");
        assert_eq!(statements(Dialect::MySql, &text).len(), 3);
        let text = "SELECT 'a\\'';' AS b; SET standard_conforming_strings = x; SELECT 1;";
        assert_eq!(codes(Dialect::Postgres, text), Vec::<&Code>::new());
        let text = "SET standard_conforming_strings = x; SELECT 'a\\'; SELECT ';';";
        assert_eq!(codes(Dialect::Postgres, text), [&UNKNOWN_QUOTING]);
    }

    #[test]
    fn copy_data_is_no_sql() {
        let text = "COPY t (a, b) FROM stdin;\n1\tit's; fine\n2\t\\N\n\\.\n\nSELECT 1;\n";
        let (all, findings) = split(text, Dialect::Postgres, "f.sql");
        assert_eq!(findings, []);
        assert_eq!(all.len(), 2);
        assert_eq!(&text[all[0].copy_data.clone().unwrap()], "1\tit's; fine\n2\t\\N\n");
        assert_eq!((all[1].line, all[1].sql(text)), (6, "SELECT 1"));
    }

    #[test]
    fn sql_on_the_line_of_copy_is_refused() {
        for (line, fine) in [(";", true), ("; -- rows", true), (";;", false), ("; SELECT 1;", false), ("; /* rows", false)] {
            let text = format!("COPY t FROM stdin{line}\n1\n\\.\n");
            let (all, findings) = split(&text, Dialect::Postgres, "f.sql");
            assert_eq!(&text[all[0].copy_data.clone().unwrap()], "1\n");
            let codes: Vec<&Code> = findings.iter().map(|finding| finding.code).collect();
            assert_eq!(codes, if fine { vec![] } else { vec![&SQL_AFTER_COPY] }, "{line}");
        }
    }

    #[test]
    fn rows_that_nobody_reads_are_refused() {
        let codes =
            |text: &str| split(text, Dialect::Postgres, "f.sql").1.iter().map(|finding| finding.code.name).collect::<Vec<_>>();
        assert_eq!(codes("COPY t TO stdout;"), ["copy-to-stdout"]);
        assert_eq!(codes("COPY (SELECT 1) TO STDOUT WITH (FORMAT csv);"), ["copy-to-stdout"]);
        assert_eq!(codes("COPY t TO '/tmp/f'; SELECT 'COPY t TO stdout';"), Vec::<&str>::new());
    }

    fn codes(dialect: Dialect, text: &str) -> Vec<&'static Code> {
        split(text, dialect, "f.sql").1.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn commands_of_psql_in_a_statement_are_refused() {
        for text in [
            "SELECT 'CREATE TABLE g (a int)' \\gexec\n",
            "SELECT 5 AS v \\gset\nSELECT 1;",
            "SELECT 1\\; SELECT 2;",
            "SELECT 1 \\g\n",
        ] {
            assert_eq!(codes(Dialect::Postgres, text), [&PSQL_COMMAND], "{text}");
        }
        assert_eq!(codes(Dialect::Postgres, "SELECT E'\\\\', '\\gexec', $$\\g$$, \"\\g\"; -- \\g\n"), Vec::<&Code>::new());
    }

    #[test]
    fn a_carriage_return_ends_a_comment_of_postgres() {
        assert_eq!(statements(Dialect::Postgres, "-- head\rCREATE TABLE t (id int);\r"), ["CREATE TABLE t (id int)"]);
        let text = "CREATE TABLE v (id int); -- made\rINSERT INTO v VALUES (1);\rINSERT INTO v VALUES (2);\r";
        assert_eq!(statements(Dialect::Postgres, text).len(), 3);
    }

    #[test]
    fn strings_continue_after_a_line_end() {
        let text = "INSERT INTO t VALUES (E'a'\n  'it\\'s; b');\nINSERT INTO t VALUES ('x');";
        assert_eq!(statements(Dialect::Postgres, text).len(), 2);
    }

    #[test]
    fn commands_of_the_mariadb_client_are_refused() {
        for text in [
            "SELECT 1 \\g\n",
            "SELECT 1\\G\nSELECT 2;",
            "SELECT 1 \\c\n",
            "SELECT 1;\nsource x.sql\n",
            "\\. x.sql\n",
            "exit\n",
            "WARNINGS;\n",
            "help\n",
            "? ;\n",
        ] {
            assert_eq!(codes(Dialect::MySql, text), [&CLIENT_COMMAND], "{text}");
        }
        for text in
            ["SELECT \\N;", "SELECT 'a\\g', `\\g`; -- \\g\n", "SELECT status, source FROM t;", "SELECT a.\nstatus FROM a;"]
        {
            assert_eq!(codes(Dialect::MySql, text), Vec::<&Code>::new(), "{text}");
        }
        assert_eq!(codes(Dialect::MySql, "CREATE TABLE a (i INT)\n--> statement-breakpoint\nSELECT 1;"), [&STATEMENT_BREAKPOINT]);
        assert_eq!(codes(Dialect::Sqlite, "SELECT 1;\n.read x.sql\n"), [&CLIENT_COMMAND]);
    }

    #[test]
    fn lines_of_the_mariadb_client_are_followed() {
        let text = "--create the table\nCREATE TABLE t (id int);\n---------------------\n--it's filled here; really\nINSERT INTO t VALUES (1); --x'\n";
        assert_eq!(statements(Dialect::MySql, text), ["CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)"]);
        assert_eq!(statements(Dialect::MySql, "SELECT 1;\n--> statement-breakpoint\nSELECT 2;"), ["SELECT 1", "SELECT 2"]);
        assert_eq!(statements(Dialect::MySql, "SELECT 1\n--1;\nSELECT 2;"), ["SELECT 1\n--1", "SELECT 2"]);
        assert_eq!(statements(Dialect::MySql, "use a\nSELECT 1;\nUSE b; SELECT 2;"), ["use a", "SELECT 1", "USE b", "SELECT 2"]);
    }

    #[test]
    fn lines_of_sqlite3_are_followed() {
        let text = "# it's\nSELECT 1\nGO\nSELECT 2\n /\nSELECT 3;";
        assert_eq!(statements(Dialect::Sqlite, text), ["SELECT 1", "SELECT 2", "SELECT 3"]);
        let trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 4\n/\n2; END";
        assert_eq!(statements(Dialect::Sqlite, &format!("{trigger};")), [trigger]);
        let explained = format!("EXPLAIN QUERY PLAN {trigger}");
        assert_eq!(statements(Dialect::Sqlite, &explained), [explained.as_str()]);
    }

    #[test]
    fn files_of_the_client_are_refused() {
        for text in [
            "LOAD DATA LOCAL INFILE 'in.csv' INTO TABLE t;",
            "load data low_priority local infile 'x' into table t;",
            "LOAD XML LOCAL INFILE 'x' INTO TABLE t;",
            "/*!40000 LOAD DATA LOCAL INFILE 'x' INTO TABLE t */;",
        ] {
            assert_eq!(codes(Dialect::MySql, text), [&LOAD_DATA_LOCAL], "{text}");
        }
        assert_eq!(codes(Dialect::MySql, "LOAD DATA INFILE '/x' INTO TABLE local;"), Vec::<&Code>::new());
    }

    #[test]
    fn psql_commands_are_refused() {
        let text = "\\connect other\nSELECT 1;\n";
        let (all, findings) = split(text, Dialect::Postgres, "f.sql");
        assert_eq!(all.len(), 1);
        assert_eq!(findings[0].code, &PSQL_COMMAND);
        assert_eq!(findings[0].place.as_ref().unwrap().label(), "f.sql:1:1");
    }

    #[test]
    fn psql_variables_are_refused() {
        for text in [
            "GRANT CONNECT ON DATABASE :\"DBNAME\" TO app;",
            "COMMENT ON DATABASE x IS :'DBNAME';",
            "ALTER DATABASE :DBNAME SET work_mem = '1MB';",
            "SELECT 1; INSERT INTO t VALUES (:'USER', 2);",
            "SET search_path = :schema;",
        ] {
            let (_, findings) = split(text, Dialect::Postgres, "f.sql");
            assert_eq!(findings.first().map(|finding| finding.code), Some(&PSQL_COMMAND), "{text}");
        }
        for text in [
            "SELECT a::text, a :: int, b[1:n], b[:\"n\"], b[a:'2'::int];",
            "SELECT json_object('a':'b', 'c':d);",
            "SELECT f(a := 1), f(a:=b);",
            "INSERT INTO t VALUES (':x', E':y', $$ :z $$);",
            "DO $$ BEGIN x :='a'; y:=b; END $$;",
        ] {
            assert_eq!(split(text, Dialect::Postgres, "f.sql").1, [], "{text}");
        }
    }

    #[test]
    fn open_ends_are_refused() {
        for (dialect, text) in [
            (Dialect::Postgres, "SELECT 'a;"),
            (Dialect::Postgres, "DO $$ BEGIN END;"),
            (Dialect::MySql, "SELECT 1 /* ; "),
            (Dialect::Sqlite, "SELECT [a;"),
        ] {
            assert_eq!(split(text, dialect, "f.sql").1[0].code, &UNTERMINATED, "{text}");
        }
        assert_eq!(split("SELECT 1; /* open", Dialect::Sqlite, "f.sql").1, []);
    }

    #[test]
    fn bodies_of_mysql_without_delimiter() {
        for sql in [
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.b = 1; IF NEW.c THEN SET NEW.d = 2; END IF; END",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.b = IF(NEW.c, 1, 2)",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW IF NEW.c THEN SET NEW.d = REPEAT('x', 2); END IF",
            "CREATE DEFINER = `root`@`localhost` PROCEDURE p(IN x INT) BEGIN CASE x WHEN 1 THEN SELECT 1; ELSE SELECT CASE x WHEN 2 THEN 3 END; END CASE; \
             WHILE x > 0 DO SET x = x - 1; END WHILE; REPEAT SET x = x + 1; UNTIL x > 3 END REPEAT; l: LOOP LEAVE l; END LOOP; END",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.x = CASE WHEN NEW.a THEN IF(NEW.b, 1, 2) ELSE REPEAT('x', 2) END; \
             SET NEW.end = 1; IF (NEW.c) AND (NEW.d) THEN SET NEW.e = 1; END IF; END",
            "CREATE OR REPLACE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1",
            "CREATE EVENT IF NOT EXISTS e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM a; DELETE FROM b; END",
            "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END",
            "CREATE TABLE trigger_log (`begin` INT, event VARCHAR(3))",
            "SELECT 1 --, 2\n+ 1",
            "SELECT 'a\\';b', \"c;\", `d;` # ; comment\n",
            "/*!50003 CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN SET @a = 1; END */",
        ] {
            let text = format!("{sql};\nSELECT 1;");
            let statements = statements(Dialect::MySql, &text);
            assert_eq!(statements.len(), 2, "{statements:#?}");
            assert_eq!(statements[1], "SELECT 1");
        }
    }

    #[test]
    fn delimiters_of_mysql() {
        let text = "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END//\nDELIMITER ;\nSELECT 3;\ndelimiter $$\nSELECT '$$'; SELECT 4$$\nBEGIN NOT ATOMIC SELECT 5; END$$\nCALL `p`$$";
        assert_eq!(
            statements(Dialect::MySql, text),
            [
                "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END",
                "SELECT 3",
                "SELECT '$$'",
                "SELECT 4",
                "BEGIN NOT ATOMIC SELECT 5; END",
                "CALL `p`"
            ]
        );
    }

    #[test]
    fn several_statements_of_one_message() {
        let text = "DELIMITER $$\nINSERT INTO a VALUES (1);\nCREATE PROCEDURE p() BEGIN SELECT 1; END; CALL p();\n$$\nDELIMITER ;\nSELECT 2;";
        let expected = ["INSERT INTO a VALUES (1)", "CREATE PROCEDURE p() BEGIN SELECT 1; END", "CALL p()", "SELECT 2"];
        assert_eq!(statements(Dialect::MySql, text), expected);
    }

    #[test]
    fn unusual_delimiters() {
        for (text, expected) in [
            (
                "delimiter #\ncreate procedure sp() BEGIN\nEND #\ndelimiter ;\ncall sp();",
                &["create procedure sp() BEGIN\nEND", "call sp()"][..],
            ),
            (
                "DELIMITER /*!*/;\nSELECT 1/*!*/;\nSELECT '/*!*/;'/*!*/;\nDELIMITER ;\nSELECT 2;",
                &["SELECT 1", "SELECT '/*!*/;'", "SELECT 2"],
            ),
            ("DELIMITER '//'\nSELECT 1//\nSELECT 2//", &["SELECT 1", "SELECT 2"]),
            (
                "DELIMITER ;;\n/*!50003 CREATE*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET @a = 1; -- it's\nEND */;;\nSELECT 2;;",
                &[
                    "/*!50003 CREATE*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET @a = 1; -- it's\nEND */",
                    "SELECT 2",
                ],
            ),
            ("DELIMITER --\nSELECT 1--\nSELECT 2 --\n", &["SELECT 1", "SELECT 2"]),
        ] {
            assert_eq!(statements(Dialect::MySql, text), expected, "{text}");
        }
    }

    #[test]
    fn bodies_of_mariadb_without_delimiter() {
        for sql in [
            "CREATE PROCEDURE p() BEGIN FOR i IN 1..4 DO SELECT i; END FOR; FOR r IN (SELECT 1) DO SELECT r.x; END FOR; END",
            "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW BEGIN FOR i IN 1..2 DO SET NEW.n = i; END FOR; END",
            "BEGIN NOT ATOMIC FOR i IN 7..8 DO INSERT INTO t VALUES (i, 0); END FOR; END",
            "IF 1 THEN SELECT 1; END IF",
            "CREATE PROCEDURE p AS x INT := 1; BEGIN SELECT x; EXCEPTION WHEN OTHERS THEN SELECT 2; END",
            // A body that is not understood continues with its `END`.
            "CREATE SOMETHING p BEGIN SELECT 1; END",
        ] {
            assert_eq!(statements(Dialect::MySql, &format!("{sql};\nSELECT 1;")), [sql, "SELECT 1"]);
        }
    }

    #[test]
    fn triggers_of_sqlite() {
        for sql in [
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = CASE WHEN 1 THEN 2 END; DELETE FROM d; END",
            "CREATE TEMP TRIGGER IF NOT EXISTS t AFTER INSERT ON a BEGIN SELECT 1; END",
            "CREATE TABLE t (trigger TEXT, \"begin\" TEXT)",
        ] {
            assert_eq!(statements(Dialect::Sqlite, &format!("{sql};\nSELECT 1;")), [sql, "SELECT 1"]);
        }
    }

    proptest! {
        #[test]
        fn statements_are_parts_of_the_text_in_order(
            sql in "(SELECT|BEGIN|END|CREATE|TRIGGER|FUNCTION|ATOMIC|DELIMITER|COPY|FROM|stdin|CASE|IF|[\\PC\n ]|--|/\\*|\\*/|'|\"|\\$\\$|;|\\\\| ){0,40}"
        ) {
            for dialect in Dialect::ALL {
                let (statements, _) = split(&sql, dialect, "f.sql");
                let mut end = 0;
                for statement in &statements {
                    prop_assert!(statement.range.start >= end && statement.range.end > statement.range.start);
                    prop_assert_eq!(statement.line, sql[..statement.range.start].matches('\n').count() + 1);
                    end = statement.copy_data.as_ref().map_or(statement.range.end, |data| data.end);
                }
            }
        }
    }
}
