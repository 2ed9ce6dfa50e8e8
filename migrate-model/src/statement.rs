//! Splits SQL text into statements, each with its place.
//!
//! The result equals that of the client of the database: the statements that `psql`, `mariadb` and `sqlite3` would send one by
//! one. The text is not changed; a statement is a range of its bytes.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::finding::Finding;
use crate::place::Place;
use crate::token::{Kind, Token, Tokens};
use std::ops::Range;

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

/// A command of the psql client, such as `\connect`.
pub static PSQL_COMMAND: Code = Code::new(
    "psql-command",
    "A line that begins with a backslash (`\\i`, `\\connect`, `\\restrict`) is a command of the psql client. It is not SQL, and \
     the server would reject it. Remove the line, or write the equivalent SQL.",
);

/// SQL after `COPY ... FROM stdin;` on the same line.
pub static SQL_AFTER_COPY: Code = Code::new(
    "sql-after-copy",
    "The rows of `COPY ... FROM stdin;` begin on the next line, so only a comment may follow on the same line. psql would run \
     SQL there after the rows, and other clients would discard it. Move the SQL after the closing `\\.`.",
);

/// `COPY ... TO stdout`.
pub static COPY_TO_STDOUT: Code = Code::new(
    "copy-to-stdout",
    "`COPY ... TO stdout` sends rows to the client, and a migration does not process them. Write the rows into a table, or \
     remove the statement.",
);

/// A string, comment or quoted name without its end.
pub static UNTERMINATED: Code = Code::new(
    "unterminated",
    "A string, a quoted name, a comment or a dollar-quoted string is not terminated, so it extends to the end of the file. \
     Add the missing closing delimiter.",
);

/// Splits a text into statements; also returns the problems that prevent its execution.
pub fn split(text: &str, dialect: Dialect, file: &str) -> (Vec<Statement>, Vec<Finding>) {
    let mut splitter = Splitter {
        text,
        file,
        dialect,
        tokens: Tokens::new(text, dialect),
        statements: Vec::new(),
        findings: Vec::new(),
        delimiter: ";".to_owned(),
        counted: (0, 1),
        open: Vec::new(),
    };
    splitter.run();
    (splitter.statements, splitter.findings)
}

struct Splitter<'a> {
    text: &'a str,
    file: &'a str,
    dialect: Dialect,
    tokens: Tokens<'a>,
    statements: Vec<Statement>,
    findings: Vec<Finding>,
    delimiter: String,
    /// The byte up to which line ends were counted, and the line of this byte.
    counted: (usize, usize),
    /// The tokens of the current statement, without white space and comments.
    open: Vec<Token>,
}

impl Splitter<'_> {
    fn run(&mut self) {
        let mut body = Body::default();
        while let Some(token) = self.tokens.next() {
            if !token.closed {
                self.unterminated(token);
            }
            // A hint, or a banner that begins with `/*+`, is part of a statement only if it is inside the statement.
            if token.is_blank() || (token.kind == Kind::Hint && self.open.is_empty()) {
                continue;
            }
            if self.open.is_empty() {
                body = Body::default();
                if self.client_command(token) {
                    continue;
                }
            }
            let delimiter = self.delimiter_in(token, &body);
            let before = Token { end: delimiter.unwrap_or(token.end), ..token };
            if before.start < before.end {
                body.read(self.text, self.dialect, &self.open, before);
                self.open.push(before);
            }
            if let Some(at) = delimiter {
                self.tokens.jump(at + self.delimiter.len());
                self.close();
            }
        }
        self.close();
    }

    /// The offset of the delimiter, if it begins in this token. `END$$` is one word for the MySQL server, but not for its client.
    fn delimiter_in(&self, token: Token, body: &Body) -> Option<usize> {
        if self.delimiter == ";" {
            return (token.is_symbol(self.text, b';') && body.depth == 0).then_some(token.start);
        }
        match token.kind {
            Kind::Symbol => self.text[token.start..].starts_with(&self.delimiter).then_some(token.start),
            Kind::Word | Kind::Number => token.text(self.text).find(&self.delimiter).map(|at| token.start + at),
            _ => None,
        }
    }

    /// Processes a line for the client: `DELIMITER`, or a command of psql.
    fn client_command(&mut self, token: Token) -> bool {
        let line_end = self.text[token.start..].find('\n').map_or(self.text.len(), |at| token.start + at);
        match self.dialect {
            Dialect::MySql if token.is_word(self.text, "DELIMITER") => {
                let delimiter = self.text[token.end..line_end].split_whitespace().next();
                if let Some(delimiter) = delimiter {
                    self.delimiter = delimiter.to_owned();
                }
                self.tokens.jump(line_end);
                true
            }
            Dialect::Postgres if token.is_symbol(self.text, b'\\') => {
                let line = self.text[token.start..line_end].trim_end();
                let place = Place::range(self.file, self.text, token.start..token.start + line.len());
                self.findings.push(
                    Finding::error(&PSQL_COMMAND, format!("`{line}` is a command of the psql client, not SQL"))
                        .at(place)
                        .help("remove the line, or write the equivalent SQL"),
                );
                self.tokens.jump(line_end);
                true
            }
            _ => false,
        }
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
        let place = Place::range(self.file, self.text, token.start..token.end);
        self.findings.push(
            Finding::error(&UNTERMINATED, format!("unterminated {what}")).at(place).help("add the missing closing delimiter"),
        );
    }

    /// Ends the current statement, if there is one.
    fn close(&mut self) {
        let (Some(first), Some(last)) = (self.open.first().copied(), self.open.last().copied()) else {
            return;
        };
        let newlines = self.text.as_bytes()[self.counted.0..first.start].iter().filter(|byte| **byte == b'\n').count();
        self.counted = (first.start, self.counted.1 + newlines);
        self.follow_settings();
        if self.copies("TO", "STDOUT") {
            self.findings.push(
                Finding::error(&COPY_TO_STDOUT, "`COPY ... TO stdout` sends rows that a migration does not process")
                    .at(Place::range(self.file, self.text, first.start..last.end))
                    .help("write the rows into a table, or remove the statement"),
            );
        }
        let copy_data = self.copies("FROM", "STDIN").then(|| self.copy_data());
        self.statements.push(Statement { range: first.start..last.end, line: self.counted.1, copy_data });
        self.open.clear();
    }

    /// `SET standard_conforming_strings = off` and `NO_BACKSLASH_ESCAPES` of MySQL change the syntax of the strings in later
    /// statements.
    fn follow_settings(&mut self) {
        if !self.open[0].is_word(self.text, "SET") {
            return;
        }
        let named = |name: &str| self.open.iter().take(5).any(|token| token.is_word(self.text, name));
        let value = self.open.last().map_or("", |token| token.text(self.text));
        match self.dialect {
            Dialect::Postgres if named("standard_conforming_strings") => {
                let off = ["off", "'off'", "false", "0"].iter().any(|word| value.eq_ignore_ascii_case(word));
                self.tokens.set_backslashes(off);
            }
            Dialect::MySql if named("sql_mode") => {
                let on = !value.to_ascii_uppercase().contains("NO_BACKSLASH_ESCAPES");
                self.tokens.set_backslashes(on);
            }
            _ => {}
        }
    }

    /// Is the current statement `COPY ... FROM stdin` or `COPY ... TO stdout`?
    fn copies(&self, direction: &str, stream: &str) -> bool {
        self.dialect == Dialect::Postgres
            && self.open[0].is_word(self.text, "COPY")
            && self.open.windows(2).any(|pair| pair[0].is_word(self.text, direction) && pair[1].is_word(self.text, stream))
    }

    /// The lines after the current one, up to a line that contains only `\.`; continues after this line.
    fn copy_data(&mut self) -> Range<usize> {
        let from = self.tokens.offset();
        let start = self.text[from..].find('\n').map_or(self.text.len(), |at| from + at + 1);
        let rest = &self.text[from..start];
        if let Some(token) = Tokens::new(rest, self.dialect).find(|token| !token.is_blank() || !token.closed) {
            let message = "SQL is not allowed between `COPY ... FROM stdin;` and its rows";
            self.findings.push(
                Finding::error(&SQL_AFTER_COPY, message)
                    .at(Place::range(self.file, self.text, from + token.start..from + rest.trim_end().len()))
                    .help("move it after the closing `\\.`"),
            );
        }
        let mut line = start;
        while line < self.text.len() {
            let end = self.text[line..].find('\n').map_or(self.text.len(), |at| line + at + 1);
            if self.text[line..end].trim_end() == "\\." {
                self.tokens.jump(end);
                return start..line;
            }
            line = end;
        }
        self.tokens.jump(self.text.len());
        start..self.text.len()
    }
}

/// The nesting of the current token in a body whose semicolons do not end the statement.
#[derive(Default)]
struct Body {
    depth: usize,
    /// Does the statement create a routine, a trigger or an event, or is it a compound statement?
    routine: bool,
    parentheses: usize,
}

impl Body {
    fn read(&mut self, sql: &str, dialect: Dialect, before: &[Token], token: Token) {
        match dialect {
            Dialect::Postgres => self.postgres(sql, before, token),
            Dialect::MySql => self.mysql(sql, before, token),
            Dialect::Sqlite => self.sqlite(sql, before, token),
        }
    }

    /// `CREATE FUNCTION ... BEGIN ATOMIC ...; END`, and `CREATE RULE ... DO (a; b)`: psql also counts parentheses.
    fn postgres(&mut self, sql: &str, before: &[Token], token: Token) {
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

    /// Compound statements nest: `BEGIN`, `CASE`, `IF`, `LOOP`, `WHILE` and `REPEAT`, each closed by an `END`.
    fn mysql(&mut self, sql: &str, before: &[Token], token: Token) {
        if token.kind != Kind::Word {
            return;
        }
        if !self.routine {
            let block = token.is_word(sql, "NOT") && before.len() == 1 && before[0].is_word(sql, "BEGIN");
            let kinds = ["TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"];
            let defines = kinds.iter().any(|word| token.is_word(sql, word)) && starts_definition(sql, before);
            self.routine = block || defines;
            self.depth = usize::from(block);
            return;
        }
        let last = before.last().copied();
        // `NEW.end` is a column.
        if last.is_some_and(|last| last.is_symbol(sql, b'.')) {
            return;
        }
        let after = |words: &[&str]| last.is_some_and(|last| words.iter().any(|word| last.is_word(sql, word)));
        if after(&["END"]) && ["IF", "LOOP", "WHILE", "REPEAT", "CASE"].iter().any(|word| token.is_word(sql, word)) {
            return;
        }
        if token.is_word(sql, "END") {
            self.depth = self.depth.saturating_sub(1);
        } else if token.is_word(sql, "BEGIN") || token.is_word(sql, "CASE") {
            self.depth += 1;
        } else if ["IF", "LOOP", "WHILE", "REPEAT"].iter().any(|word| token.is_word(sql, word)) {
            // `IF(a, b, c)`, `REPEAT('x', 3)` and `CREATE EVENT IF NOT EXISTS` are not compound statements. A compound
            // statement can only appear where a statement can begin.
            let symbol = last.is_some_and(|last| [b';', b':', b')'].iter().any(|symbol| last.is_symbol(sql, *symbol)));
            let begins = after(&[
                "BEGIN",
                "THEN",
                "ELSE",
                "DO",
                "LOOP",
                "REPEAT",
                "ROW",
                "DETERMINISTIC",
                "SQL",
                "DATA",
                "INVOKER",
                "DEFINER",
            ]);
            if (symbol || begins) && !is_function(sql, token) {
                self.depth += 1;
            }
        }
    }

    /// A trigger ends at `; END ;`, as in `sqlite3_complete()`.
    fn sqlite(&mut self, sql: &str, before: &[Token], token: Token) {
        if token.is_word(sql, "TRIGGER") && creates(sql, before, &[]) && before.len() <= 2 {
            self.routine = true;
        } else if self.routine && token.is_word(sql, "BEGIN") && self.depth == 0 {
            self.depth = 1;
        } else if self.depth == 1 && token.is_word(sql, "END") && before.last().is_some_and(|last| last.is_symbol(sql, b';')) {
            self.depth = 0;
        }
    }
}

/// MySQL: `IF(a, b, c)` and `REPEAT('x', 3)`, as opposed to `IF (a) THEN`: the text after the parenthesis decides.
fn is_function(sql: &str, word: Token) -> bool {
    let mut tokens = Tokens::new(sql, Dialect::MySql);
    tokens.jump(word.end);
    let mut tokens = tokens.filter(|token| !token.is_blank());
    if !tokens.next().is_some_and(|token| token.is_symbol(sql, b'(')) || word.is_word(sql, "WHILE") {
        return false;
    }
    let mut depth = 1;
    for token in tokens.by_ref() {
        depth += usize::from(token.is_symbol(sql, b'('));
        depth -= usize::from(token.is_symbol(sql, b')'));
        if depth == 0 {
            break;
        }
    }
    // `IF (a) AND (b) THEN`: a statement continues to THEN; a function call ends before one.
    if word.is_word(sql, "IF") {
        for token in tokens {
            if token.is_word(sql, "THEN") {
                return false;
            }
            let part_of_case = ["WHEN", "ELSE", "END"].iter().any(|word| token.is_word(sql, word));
            if part_of_case || [b';', b','].iter().any(|symbol| token.is_symbol(sql, *symbol)) {
                return true;
            }
        }
    }
    true
}

/// Does the statement begin with `CREATE`, followed soon by one of `words`, if there are any?
fn creates(sql: &str, before: &[Token], words: &[&str]) -> bool {
    before.first().is_some_and(|first| first.is_word(sql, "CREATE"))
        && (words.is_empty() || before.iter().take(4).any(|token| words.iter().any(|word| token.is_word(sql, word))))
}

/// MySQL: are the tokens so far `CREATE [OR REPLACE] [DEFINER = user] [AGGREGATE]`?
fn starts_definition(sql: &str, before: &[Token]) -> bool {
    creates(sql, before, &[])
        && !before.iter().skip(1).any(|token| {
            let other_kinds = ["TABLE", "INDEX", "VIEW", "DATABASE", "SCHEMA", "USER", "ROLE", "SEQUENCE", "SERVER"];
            other_kinds.iter().any(|word| token.is_word(sql, word))
                || token.is_symbol(sql, b'(') && before[1].is_word(sql, "TEMPORARY")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn statements(dialect: Dialect, text: &str) -> Vec<&str> {
        let (statements, findings) = split(text, dialect, "f.sql");
        assert_eq!(findings, [], "{text}");
        statements.iter().map(|statement| statement.sql(text)).collect()
    }

    #[test]
    fn plain_statements_with_their_lines() {
        let text = "-- head\n;;\nSELECT 1 ; /* between */\n\n  SELECT\n2;\nSELECT 3";
        let (all, _) = split(text, Dialect::Postgres, "f.sql");
        let lines: Vec<_> = all.iter().map(|statement| (statement.line, statement.sql(text))).collect();
        assert_eq!(lines, [(3, "SELECT 1"), (5, "SELECT\n2"), (7, "SELECT 3")]);
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

    #[test]
    fn psql_commands_are_refused() {
        let text = "\\connect other\nSELECT 1;\n";
        let (all, findings) = split(text, Dialect::Postgres, "f.sql");
        assert_eq!(all.len(), 1);
        assert_eq!(findings[0].code, &PSQL_COMMAND);
        assert_eq!(findings[0].place.as_ref().unwrap().label(), "f.sql:1:1");
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
                "SELECT '$$'; SELECT 4",
                "BEGIN NOT ATOMIC SELECT 5; END",
                "CALL `p`"
            ]
        );
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
